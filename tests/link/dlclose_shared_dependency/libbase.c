#include "say.h"

int base(void) {
  static int calls;
  return ++calls;
}

__attribute__((destructor)) static void destroy(void) {
  say("base destroyed\n");
}
