// link: -la
#include "say.h"

extern int missing __attribute__((weak)), there __attribute__((weak));
int *has_missing(void);

int main(void) {
  int *volatile address = &missing;
  say("%d %d\n", address == 0, has_missing() == 0);
  address = &there;
  say("%d %d\n", address != 0, there);
  return 0;
}
