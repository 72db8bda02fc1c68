#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", plugin == *(void **)dlsym(plugin, "itself"));
  dlclose(plugin);
  void *again = dlopen("libplugin.so", RTLD_NOW | RTLD_NOLOAD);
  say("%d\n", again == plugin);
  return 0;
}
