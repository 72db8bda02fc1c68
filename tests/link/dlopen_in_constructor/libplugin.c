#include "say.h"

int value(void) {
  return 17;
}

__attribute__((constructor)) static void construct(void) {
  say("plugin constructed\n");
}
