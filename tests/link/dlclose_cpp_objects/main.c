#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  ((void (*)(void))dlsym(plugin, "use"))();
  dlclose(plugin);
  say("closed\n");
  return 0;
}
