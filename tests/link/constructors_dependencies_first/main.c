// link: -la -lb
#include "say.h"

__attribute__((constructor)) static void construct(void) {
  say("main constructed\n");
}

int main(void) {
  say("main runs\n");
  return 0;
}
