#include "say.h"
#include <dlfcn.h>

int from_inner;

__attribute__((constructor)) static void construct(void) {
  from_inner = ((int (*)(void))dlsym(dlopen("libinner.so", RTLD_NOW), "value"))();
  say("outer constructed\n");
}
