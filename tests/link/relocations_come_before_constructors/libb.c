#include "say.h"

extern int *pointer;

__attribute__((constructor)) static void construct(void) {
  say("b sees %d of a\n", *pointer);
}
