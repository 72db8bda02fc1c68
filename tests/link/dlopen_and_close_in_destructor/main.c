#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", dlclose(plugin));
  say("%d\n", dlopen("libother.so", RTLD_NOW | RTLD_NOLOAD) != 0);
  return 0;
}
