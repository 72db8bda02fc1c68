#include "say.h"
#include <dlfcn.h>

__attribute__((noinline)) static int call(int (*function)(void)) {
  return function() + 1;
}

int main(void) {
  void *first = dlopen("libfirst.so", RTLD_NOW);
  int (*stale)(void) = ((int (*(*)(void))(void))dlsym(first, "pointer"))();
  dlclose(first);
  void *second = dlopen("libsecond.so", RTLD_NOW);
  int (*fresh)(void) = ((int (*(*)(void))(void))dlsym(second, "pointer"))();
  say("%d\n", call(fresh));
  say("%d\n", call(stale));
  return 0;
}
