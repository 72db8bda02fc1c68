#include "say.h"

int of_bad(void) {
  return 1;
}

__attribute__((constructor)) static void construct(void) {
  say("about to fail\n");
  __builtin_trap();
}
