// link: -la
#include "say.h"

int use(int);

int main(void) {
  say("%d\n", use(0));
  say("%d\n", use(1));
  say("not reached\n");
  return 0;
}
