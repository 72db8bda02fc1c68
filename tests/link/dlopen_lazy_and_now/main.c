#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *now = dlopen("libplugin.so", RTLD_NOW);
  say("now: %d: %s\n", now != 0, dlerror());
  void *lazy = dlopen("libplugin.so", RTLD_LAZY);
  say("lazy: %d\n", lazy != 0);
  if (!lazy) return 0;
  int (*use)(int) = (int (*)(int))dlsym(lazy, "use");
  say("%d\n", use(0));
  now = dlopen("libplugin.so", RTLD_NOW);
  say("now again: %d\n", now != 0);
  return 0;
}
