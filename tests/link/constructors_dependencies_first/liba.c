// link: -lc2
#include "say.h"

__attribute__((constructor)) static void construct(void) {
  say("a\n");
}
