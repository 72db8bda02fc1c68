// link: -lgreet
// lld: 22
#include "say.h"

int twice(int);
extern int calls;

int main(void) {
  say("twice 21 is %d\n", twice(21));
  say("calls: %d\n", calls);
  return 0;
}
