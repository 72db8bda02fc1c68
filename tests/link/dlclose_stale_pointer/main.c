#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  int (*volatile function)(int) = (int (*)(int))dlsym(plugin, "function");
  say("%d\n", function(1));
  say("%d\n", dlclose(plugin));
  say("%d\n", function(1));
  return 0;
}
