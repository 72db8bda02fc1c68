// link: -la
#include "say.h"

int sum(int count, ...);
double mixed(const char *kinds, ...);

int main(void) {
  say("%d\n", sum(5, 1, 2, 3, 4, 5));
  say("%d\n", (int)mixed("idli", 1, 2.5, 3LL << 33, 4) == (int)(1 + 2.5 + 3 + 4));
  return 0;
}
