// name: sub/libouter.so
// lld: 22
// link: --rpath=$ORIGIN/deeper
#include <dlfcn.h>

int open_inner(void) {
  void *inner = dlopen("libinner.so", RTLD_NOW);
  return inner ? ((int (*)(void))dlsym(inner, "inner"))() : -1;
}
