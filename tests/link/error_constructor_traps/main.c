// link: -la -lb
#include "say.h"

int main(void) {
  say("not reached\n");
  return 0;
}
