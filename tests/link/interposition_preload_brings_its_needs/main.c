// link: -la
#include "say.h"

int answer(void);

int main(void) {
  say("%d\n", answer());
  return 0;
}
