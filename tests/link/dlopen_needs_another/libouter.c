// link: -linner
#include "say.h"

int inner(void);

int outer(void) {
  return inner() * 2;
}

__attribute__((constructor)) static void construct(void) {
  say("outer constructed\n");
}

__attribute__((destructor)) static void destroy(void) {
  say("outer destroyed\n");
}
