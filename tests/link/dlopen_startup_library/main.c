// link: -la
#include "say.h"
#include <dlfcn.h>

int next(void);

int main(void) {
  say("%d\n", next());
  void *a = dlopen("liba.so", RTLD_NOW);
  say("%d\n", ((int (*)(void))dlsym(a, "next"))());
  say("%d %d\n", dlclose(a), next());
  return 0;
}
