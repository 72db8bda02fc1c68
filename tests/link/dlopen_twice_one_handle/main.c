#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *first = dlopen("libplugin.so", RTLD_NOW), *second = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", first && first == second);
  say("%d\n", dlclose(first));
  say("%d\n", ((int (*)(void))dlsym(second, "next"))());
  say("%d\n", dlclose(second));
  // Loaded anew, it begins anew.
  void *third = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", ((int (*)(void))dlsym(third, "next"))());
  return 0;
}
