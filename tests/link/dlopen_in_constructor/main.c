// link: -la
#include "say.h"
#include <dlfcn.h>

extern int from_plugin;

int main(void) {
  say("main sees %d\n", from_plugin);
  void *outer = dlopen("libouter.so", RTLD_NOW);
  say("%d\n", *(int *)dlsym(outer, "from_inner"));
  return 0;
}
