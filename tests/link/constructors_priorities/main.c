// link: -la
#include "say.h"

__attribute__((constructor(101))) static void first(void) {
  say("main 101\n");
}

__attribute__((constructor(202))) static void second(void) {
  say("main 202\n");
}

int main(void) {
  return 0;
}
