#include "say.h"

// A start that is not a program's.
void _start(void) {
  say("not called\n");
}

__attribute__((constructor)) static void construct(void) {
  say("a\n");
}
