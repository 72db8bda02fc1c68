// link: -la -lb
#include "say.h"

int square(int);
int call(int (*)(int), int);
int call_square(int);

int main(void) {
  int (*volatile function)(int) = square;
  say("%d %d %d\n", function(5), call(square, 6), call_square(7));
  return 0;
}
