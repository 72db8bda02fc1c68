// link: -la
#include "say.h"

int call(int (*)(void));

int main(void) {
  int (*volatile nothing)(void) = 0;
  say("before\n");
  return call(nothing);
}
