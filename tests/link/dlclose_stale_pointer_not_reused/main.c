#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *first = dlopen("libfirst.so", RTLD_NOW);
  int (*volatile stale)(void) = ((int (*(*)(void))(void))dlsym(first, "pointer"))();
  dlclose(first);
  void *second = dlopen("libsecond.so", RTLD_NOW);
  int (*volatile fresh)(void) = ((int (*(*)(void))(void))dlsym(second, "pointer"))();
  say("%d\n", fresh());
  say("%d\n", stale());
  return 0;
}
