// link: --export=each_value
#include "say.h"
#include <dlfcn.h>

int each_value(int value) {
  return value;
}

static int sum;

static void add(int value) {
  sum += value;
}

int main(void) {
  void *zig = dlopen("libstats.so", RTLD_NOW);
  int values[] = {1, 2, 3};
  ((void (*)(const int *, size_t, void (*)(int)))dlsym(zig, "visit"))(values, 3, add);
  say("%d %u %s\n", sum, *(unsigned *)dlsym(zig, "zig_calls"), *(const char **)dlsym(zig, "zig_name"));
  return 0;
}
