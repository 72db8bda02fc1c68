#include "say.h"

__attribute__((noinline)) static void fail(void) {
  __builtin_trap();
}

__attribute__((constructor)) static void construct(void) {
  say("a fails\n");
  fail();
}
