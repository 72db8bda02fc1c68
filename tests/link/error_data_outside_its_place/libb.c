#include "say.h"

__attribute__((constructor)) static void construct(void) {
  say("not reached\n");
}
