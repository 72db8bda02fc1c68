#include "say.h"
#include <dlfcn.h>

int main(void) {
  for (int i = 0; i < 3; i++) {
    void *large = dlopen("liblarge.so", RTLD_NOW);
    say("%d: %s\n", large != 0, dlerror());
  }
  void *small = dlopen("libsmall.so", RTLD_NOW);
  say("%d\n", small ? *(int *)dlsym(small, "value") : -1);
  return 0;
}
