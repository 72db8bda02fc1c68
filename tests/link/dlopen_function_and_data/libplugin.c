#include "say.h"

int total = 1;

int add(int x) {
  return total += x;
}

__attribute__((constructor)) static void construct(void) {
  say("constructed\n");
}

__attribute__((destructor)) static void destroy(void) {
  say("destroyed with %d\n", total);
}
