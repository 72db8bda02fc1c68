// link: -ltable --export=of_main
#include "say.h"
#include <dlfcn.h>

int table_size(void);

double of_main(double x) {
  return x;
}

int main(void) {
  static const char *const names[] = {"libtrap.so", "libmissing.so", "libmismatch.so", "libneeds.so"};
  unsigned long memory = 0;
  int table = 0, opened = 0;
  for (int i = 0; i < 2000; i++) {
    opened += dlopen(names[i % 4], RTLD_NOW) != 0;
    if (i == 20) {
      memory = __builtin_wasm_memory_size(0);
      table = table_size();
    }
  }
  say("%d %d %d\n", opened, __builtin_wasm_memory_size(0) == memory, table_size() == table);
  int (*const *functions)(int) = (int (*const *)(int))dlsym(dlopen("libgood.so", RTLD_NOW), "functions");
  say("%d %d\n", functions[0](1), functions[1](1));
  return 0;
}
