#include "say.h"

int inner(void) {
  return 21;
}

__attribute__((constructor)) static void construct(void) {
  say("inner constructed\n");
}

__attribute__((destructor)) static void destroy(void) {
  say("inner destroyed\n");
}
