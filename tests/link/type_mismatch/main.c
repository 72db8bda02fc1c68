// link: -Lolder -la
#include "say.h"

int convert(int, int);

int main(void) {
  return convert(1, 2);
}
