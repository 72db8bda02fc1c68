// link: -lmiddle
#include "say.h"

__attribute__((constructor)) static void construct(void) {
  say("top fails\n");
  __builtin_trap();
}
