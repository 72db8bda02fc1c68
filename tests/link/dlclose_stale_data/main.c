#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  volatile int *value = dlsym(plugin, "value");
  say("%d\n", *value);
  dlclose(plugin);
  say("%d\n", *value);
  return 0;
}
