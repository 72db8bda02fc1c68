#include "say.h"
#include <dlfcn.h>

int main(void) {
  say("%d\n", dlopen("libplugin.so", RTLD_NOW | RTLD_NOLOAD) != 0);
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  void *again = dlopen("libplugin.so", RTLD_NOW | RTLD_NOLOAD);
  say("%d\n", plugin == again);
  // It counts: the second one closes it.
  dlclose(again);
  say("closed once\n");
  dlclose(plugin);
  say("closed twice\n");
  say("%d\n", dlopen("libplugin.so", RTLD_NOW | RTLD_NOLOAD) != 0);
  return 0;
}
