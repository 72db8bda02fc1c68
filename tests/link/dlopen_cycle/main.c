#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *even = dlopen("libeven.so", RTLD_NOW);
  say("%d %d\n", ((int (*)(unsigned))dlsym(even, "is_even"))(10), ((int (*)(unsigned))dlsym(even, "is_odd"))(10));
  say("%d\n", dlclose(even));
  say("%d %d\n", dlopen("libeven.so", RTLD_NOW | RTLD_NOLOAD) != 0, dlopen("libodd.so", RTLD_NOW | RTLD_NOLOAD) != 0);
  return 0;
}
