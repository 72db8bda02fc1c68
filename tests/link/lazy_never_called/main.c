// link: -la
#include "say.h"

int use(int);
void nowhere(void);

int main(void) {
  if (use(0) > 100) nowhere();
  say("%d\n", use(0));
  return 0;
}
