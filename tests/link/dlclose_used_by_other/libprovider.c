#include "say.h"

int provide(void) {
  return 6;
}

__attribute__((destructor)) static void destroy(void) {
  say("provider destroyed\n");
}
