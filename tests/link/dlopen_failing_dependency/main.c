#include "say.h"
#include <dlfcn.h>

static int is_loaded(const char *name) {
  return dlopen(name, RTLD_NOW | RTLD_NOLOAD) != 0;
}

int main(void) {
  say("%d\n", dlopen("libtop.so", RTLD_NOW) != 0);
  say("%d %d %d\n", is_loaded("libtop.so"), is_loaded("libmiddle.so"), is_loaded("libbottom.so"));
  void *middle = dlopen("libmiddle.so", RTLD_NOW);
  say("%d\n", ((int (*)(void))dlsym(middle, "next"))());
  return 0;
}
