#include "say.h"
#include <dlfcn.h>

int work(int x) {
  say("work %d, next: %d\n", x, dlsym(RTLD_NEXT, "work") != 0);
  return x + 1;
}
