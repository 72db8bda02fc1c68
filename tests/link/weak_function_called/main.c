#include "say.h"

void optional_hook(int) __attribute__((weak));

int main(void) {
  say("before\n");
  optional_hook(1);
  say("after\n");
  return 0;
}
