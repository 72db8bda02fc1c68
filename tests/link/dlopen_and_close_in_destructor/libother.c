#include "say.h"

int value = 9;

__attribute__((destructor)) static void destroy(void) {
  say("other destroyed\n");
}
