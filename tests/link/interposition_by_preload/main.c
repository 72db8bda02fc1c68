// link: -la
#include "say.h"

int answer(void);
int answer_in_a(void);
extern int number;

int main(void) {
  say("%d %d %d\n", answer(), answer_in_a(), number);
  return 0;
}
