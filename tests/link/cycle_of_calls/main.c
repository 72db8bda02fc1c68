// link: -leven
#include "say.h"

int is_even(unsigned);
int is_odd(unsigned);
extern int odd_calls;

int main(void) {
  say("%d %d\n", is_even(100), is_odd(100));
  say("%d\n", odd_calls);
  return 0;
}
