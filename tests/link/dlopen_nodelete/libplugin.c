#include "say.h"

static int value;

int next(void) {
  return ++value;
}

__attribute__((constructor)) static void construct(void) {
  say("constructed\n");
}
