#include "say.h"

void there(void) {
  say("there\n");
}
