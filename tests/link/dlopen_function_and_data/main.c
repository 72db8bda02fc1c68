#include "say.h"
#include <dlfcn.h>

int main(void) {
  say("before\n");
  void *library = dlopen("libplugin.so", RTLD_LAZY);
  say("%d\n", library != 0);
  int (*add)(int) = (int (*)(int))dlsym(library, "add");
  int *total = dlsym(library, "total");
  say("%d\n", add(5));
  *total += 100;
  say("%d\n", add(6));
  say("%d\n", dlclose(library));
  return 0;
}
