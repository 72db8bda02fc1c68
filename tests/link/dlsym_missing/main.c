#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d %s\n", dlsym(plugin, "missing") != 0, dlerror());
  say("%d %s\n", dlsym(RTLD_DEFAULT, "missing") != 0, dlerror());
  say("%d %s\n", dlsym(RTLD_NEXT, "missing") != 0, dlerror());
  say("%d %s\n", dlsym((void *)0x12345, "there") != 0, dlerror());
  say("%d %d\n", dlsym(plugin, "there") != 0, dlerror() != 0);
  return 0;
}
