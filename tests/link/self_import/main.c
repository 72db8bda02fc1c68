// link: -la
#include "say.h"

int factorial(int);
int (*address_of_factorial(void))(int);

int main(void) {
  say("%d %d\n", factorial(5), address_of_factorial()(6));
  say("%d\n", address_of_factorial() == factorial);
  return 0;
}
