#include "say.h"

int provide(void);

int use(void) {
  return provide() + 1;
}

__attribute__((destructor)) static void destroy(void) {
  say("user destroyed\n");
}
