// link: -la --export=down
#include "say.h"

unsigned deeper(unsigned, unsigned (*)(unsigned));

unsigned down(unsigned depth) {
  return depth ? deeper(depth - 1, down) + 1 : 0;
}

int main(void) {
  say("%u\n", down(1000));
  unsigned sum = 0;
  for (int i = 0; i < 50; i++) sum += down(1000);
  say("%u\n", sum);
  return 0;
}
