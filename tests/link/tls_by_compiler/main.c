// link: -la
#include "say.h"

extern _Thread_local int visible;
int next(void);

int main(void) {
  visible = 10;
  say("%d %d %d\n", next(), next(), visible);
  return 0;
}
