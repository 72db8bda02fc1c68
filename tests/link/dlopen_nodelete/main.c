#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW | RTLD_NODELETE);
  int (*next)(void) = (int (*)(void))dlsym(plugin, "next");
  say("%d\n", next());
  say("%d\n", dlclose(plugin));
  say("%d\n", next());
  void *again = dlopen("libplugin.so", RTLD_NOW | RTLD_NOLOAD);
  say("%d\n", again == plugin);
  say("%d\n", ((int (*)(void))dlsym(again, "next"))());
  return 0;
}
