// link: -la -lb
#include "say.h"

const char *who(void);
const char *who_in_b(void);

int main(void) {
  say("%s %s\n", who(), who_in_b());
  return 0;
}
