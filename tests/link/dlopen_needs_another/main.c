#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *outer = dlopen("libouter.so", RTLD_NOW);
  say("%d\n", ((int (*)(void))dlsym(outer, "outer"))());
  say("%d\n", ((int (*)(void))dlsym(outer, "inner"))());
  say("%d\n", dlclose(outer));
  return 0;
}
