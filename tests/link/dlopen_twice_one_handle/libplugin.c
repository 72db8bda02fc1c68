#include "say.h"

static int value = 10;

int next(void) {
  return ++value;
}

__attribute__((constructor)) static void construct(void) {
  say("constructed\n");
}
