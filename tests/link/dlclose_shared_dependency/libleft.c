// link: -lbase
#include "say.h"

int base(void);

void left(void) {
  say("left %d\n", base());
}

__attribute__((destructor)) static void destroy(void) {
  say("left destroyed\n");
}
