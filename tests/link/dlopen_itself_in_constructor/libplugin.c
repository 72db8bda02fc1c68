#include "say.h"
#include <dlfcn.h>

void *itself;

__attribute__((constructor)) static void construct(void) {
  say("constructing\n");
  itself = dlopen("libplugin.so", RTLD_NOW);
}
