// link: -lregistry
#include "say.h"
#include <dlfcn.h>

int run(int);

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", run(20));
  dlclose(plugin);
  return run(20);
}
