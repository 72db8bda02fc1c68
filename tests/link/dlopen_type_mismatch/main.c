// link: --export=of_main
#include "say.h"
#include <dlfcn.h>

double of_main(double x) {
  return x;
}

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d: %s\n", plugin != 0, dlerror());
  return 0;
}
