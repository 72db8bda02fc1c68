#include "say.h"
#include <dlfcn.h>

__attribute__((destructor)) static void destroy(void) {
  void *other = dlopen("libother.so", RTLD_NOW);
  say("destroyed with %d\n", *(int *)dlsym(other, "value"));
  dlclose(other);
}
