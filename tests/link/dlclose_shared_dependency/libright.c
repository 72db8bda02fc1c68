// link: -lbase
#include "say.h"

int base(void);

void right(void) {
  say("right %d\n", base());
}

__attribute__((destructor)) static void destroy(void) {
  say("right destroyed\n");
}
