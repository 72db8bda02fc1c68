#include "say.h"
#include <dlfcn.h>

static void *plugin;

static int callback(void) {
  return dlclose(plugin);
}

int main(void) {
  plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", ((int (*)(int (*)(void)))dlsym(plugin, "call"))(callback));
  return 0;
}
