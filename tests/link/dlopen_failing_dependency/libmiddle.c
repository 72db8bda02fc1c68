// link: -lbottom
#include "say.h"

int bottom(void);

int next(void) {
  static int value = 10;
  return bottom() + value++;
}

__attribute__((constructor)) static void construct(void) {
  say("middle %d\n", next());
}
