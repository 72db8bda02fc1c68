#include "say.h"

int initial() {
  say("a\n");
  return 1;
}

int ready = initial();
