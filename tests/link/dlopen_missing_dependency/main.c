#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d: %s\n", plugin != 0, dlerror());
  say("%d\n", dlopen("libthere.so", RTLD_NOW | RTLD_NOLOAD) != 0);
  say("%d\n", dlopen("libthere.so", RTLD_NOW) != 0);
  return 0;
}
