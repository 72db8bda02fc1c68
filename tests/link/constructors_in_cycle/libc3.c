// link: -la
#include "say.h"

int of_a(void);

__attribute__((constructor)) static void construct(void) {
  say("c, with %d of a\n", of_a());
}
