// link: -la
#include "say.h"
#include <dlfcn.h>

int of_a(void);

int main(void) {
  say("%d\n", of_a());
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d: %s\n", plugin != 0, dlerror());
  return 0;
}
