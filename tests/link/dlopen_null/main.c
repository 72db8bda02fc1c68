// link: -la --export=of_main
#include "say.h"
#include <dlfcn.h>

int of_a(void);

int of_main(void) {
  return of_a();
}

int main(void) {
  void *program = dlopen(0, RTLD_NOW);
  say("%d\n", program != 0 && program == dlopen(0, RTLD_LAZY));
  dlopen("liblocal.so", RTLD_NOW);
  say("%d %d %d\n", dlsym(program, "of_main") != 0, dlsym(program, "of_a") != 0, dlsym(program, "of_local") != 0);
  dlopen("libglobal.so", RTLD_NOW | RTLD_GLOBAL);
  say("%d\n", dlsym(program, "of_global") != 0);
  say("%d\n", dlclose(program));
  say("%d\n", ((int (*)(void))dlsym(program, "of_a"))());
  return 0;
}
