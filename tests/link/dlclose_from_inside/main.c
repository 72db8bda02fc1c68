#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  int (*close_itself)(void *) = (int (*)(void *))dlsym(plugin, "close_itself");
  say("%d\n", close_itself(plugin));
  say("back\n");
  say("%d\n", dlopen("libplugin.so", RTLD_NOW | RTLD_NOLOAD) != 0);
  say("%d\n", dlopen("libplugin.so", RTLD_NOW) != 0);
  return 0;
}
