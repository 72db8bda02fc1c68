// link: -la -lb
#include "say.h"

const char *who(void);
const char *who_in_b(void), *called_in_b(void);
extern int number;
int number_in_b(void);

int main(void) {
  say("%s %s %s %d %d\n", who(), who_in_b(), called_in_b(), number, number_in_b());
  return 0;
}
