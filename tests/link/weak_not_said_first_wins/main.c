// link: -lweak -lstrong
#include "say.h"

const char *who(void);
const char *who_in_weak(void);
extern int what;

int main(void) {
  say("%s %s %d\n", who(), who_in_weak(), what);
  return 0;
}
