// link: -la
#include "say.h"

typedef void (*function)(void);
function use(void);

int main(void) {
  say("not reached\n");
  use()();
  return 0;
}
