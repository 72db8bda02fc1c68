#include "say.h"
#include <dlfcn.h>

static int value_of(const char *name) {
  void *library = dlopen(name, RTLD_NOW);
  if (!library) say("%s\n", dlerror());
  return library ? *(int *)dlsym(library, "value") : -1;
}

int main(void) {
  say("%d %d %d\n", value_of("libboth.so"), value_of("libsecond.so"), value_of("libthird.so"));
  return 0;
}
