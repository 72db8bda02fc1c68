#include "say.h"

__attribute__((constructor)) static void construct(void) {
  say("constructed\n");
}

__attribute__((destructor)) static void destroy(void) {
  say("destroyed\n");
}
