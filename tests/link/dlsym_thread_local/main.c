#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libtls.so", RTLD_NOW);
  if (!plugin) return say("%s\n", dlerror()), 1;
  int *number = dlsym(plugin, "number");
  int (*get)(void) = (int (*)(void))dlsym(plugin, "get");
  say("%d %d\n", *number, get());
  *number = 5;
  say("%d\n", get());
  return 0;
}
