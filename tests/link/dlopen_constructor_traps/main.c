#include "say.h"
#include <dlfcn.h>

int main(void) {
  for (int i = 0; i < 2; i++) {
    void *bad = dlopen("libbad.so", RTLD_NOW | RTLD_GLOBAL);
    say("%d: %s\n", bad != 0, dlerror());
    say("%d %d\n", dlopen("libbad.so", RTLD_NOW | RTLD_NOLOAD) != 0, dlsym(RTLD_DEFAULT, "of_bad") != 0);
  }
  void *good = dlopen("libgood.so", RTLD_NOW);
  say("%d\n", ((int (*)(int))dlsym(good, "good"))(20));
  return 0;
}
