#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *handle = dlmopen(LM_ID_NEWLM, 0, RTLD_NOW);
  say("%d %s\n", handle != 0, dlerror());
  handle = dlmopen(12345, "libplugin.so", RTLD_NOW);
  say("%d %s\n", handle != 0, dlerror());
  say("%d\n", dlmopen(LM_ID_BASE, 0, RTLD_NOW) == dlopen(0, RTLD_NOW));
  return 0;
}
