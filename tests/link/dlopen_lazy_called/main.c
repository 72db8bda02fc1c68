#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *lazy = dlopen("libplugin.so", RTLD_LAZY);
  say("%d\n", lazy != 0);
  if (!lazy) return 0;
  int (*use)(int) = (int (*)(int))dlsym(lazy, "use");
  return use(1);
}
