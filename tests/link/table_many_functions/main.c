// link: -lmany -lone
#include "say.h"

typedef unsigned (*function)(unsigned);
extern const function functions[600];
function one(void);

int main(void) {
  unsigned sum = 0, different = 0;
  for (unsigned i = 0; i < 600; i++) {
    sum += functions[i](i);
    different += functions[i] != functions[(i + 1) % 600];
  }
  say("%u %u %u\n", sum, different, one()(5));
  return 0;
}
