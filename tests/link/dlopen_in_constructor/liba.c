#include "say.h"
#include <dlfcn.h>

int from_plugin;

__attribute__((constructor)) static void construct(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  from_plugin = ((int (*)(void))dlsym(plugin, "value"))();
  say("a constructed\n");
}
