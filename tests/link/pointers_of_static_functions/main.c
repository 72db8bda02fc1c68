// link: -la -lb
#include "say.h"

typedef int (*function)(void);
function a_helper(void), b_helper(void);

int main(void) {
  say("%d %d %d\n", a_helper() != b_helper(), a_helper()(), b_helper()());
  return 0;
}
