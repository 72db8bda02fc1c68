#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *first = dlopen("libplugin.so", RTLD_NOW);
  void *second = dlopen("/here/libplugin.so", RTLD_NOW);
  say("%d\n", first && first == second);
  if (!second) say("%s\n", dlerror());
  return 0;
}
