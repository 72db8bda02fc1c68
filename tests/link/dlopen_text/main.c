#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *library = dlopen("libtext.so", RTLD_NOW);
  if (!library) return say("%s\n", dlerror()), 1;
  say("%d\n", ((int (*)(void))dlsym(library, "f"))());
  return 0;
}
