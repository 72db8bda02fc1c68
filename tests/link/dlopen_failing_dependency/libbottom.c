#include "say.h"

int bottom(void) {
  static int value;
  return ++value;
}

__attribute__((constructor)) static void construct(void) {
  say("bottom\n");
}
