// libc: yes
// link: -lc
#include <dlfcn.h>
#include <stdio.h>

static void show(const char *word, size_t length, unsigned count) {
  printf("%.*s %u\n", (int)length, word, count);
}

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  setvbuf(stdout, 0, _IONBF, 0);
  void *rust = dlopen("libwords.so", RTLD_NOW);
  if (!rust) return puts(dlerror()), 1;
  size_t (*count)(const char *, void (*)(const char *, size_t, unsigned)) = dlsym(rust, "count_words");
  printf("%zu\n", count("x y x", show));
  printf("%d\n", dlclose(rust));
  return 0;
}
