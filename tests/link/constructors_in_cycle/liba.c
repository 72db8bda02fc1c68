// link: -lb
#include "say.h"

int of_a(void) {
  return 1;
}

__attribute__((constructor)) static void construct(void) {
  say("a\n");
}
