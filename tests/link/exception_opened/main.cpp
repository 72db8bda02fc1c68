// compiler: 22
// lld: 22
// libc: yes
// cc: -fexceptions -mexception-handling -fwasm-exceptions -mllvm -wasm-use-legacy-eh=false
// link: -lthrough -lc++abi-eh -lc
#include <stdio.h>

extern "C" {
void *dlopen(const char *, int);
void *dlsym(void *, const char *);
void through(void (*)(int), int);
}

typedef void Thrower(int);
typedef int Catcher(Thrower *, int);

static Thrower *thrower;
static Catcher *catcher;

static void by_a_detour(int kind) { through(thrower, kind); }

static void attempt(int kind) {
  try {
    printf("%d\n", catcher(by_a_detour, kind));
  } catch (int number) {
    printf("number %d\n", number);
  }
  try {
    through(thrower, kind);
    puts("nothing");
  } catch (int number) {
    printf("number %d\n", number);
  } catch (...) {
    puts("something unknown");
  }
}

int main(int, char **) {
  void *library = dlopen("libthrower.so", 2);
  thrower = (Thrower *)dlsym(library, "thrower");
  catcher = (Catcher *)dlsym(library, "catcher");
  for (int kind = 0; kind < 3; kind++) attempt(kind);
  return 0;
}
