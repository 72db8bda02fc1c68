// link: -la --export=power
#include "say.h"

struct operation {
  const char *name;
  int (*run)(int, int);
};
extern const struct operation operations[3];
int subtract(int, int);

static int modulo(int a, int b) {
  return a % b;
}

int power(int a, int b) {
  return b ? a * power(a, b - 1) : 1;
}

const struct operation own[] = {{"modulo", modulo}, {"subtract", subtract}, {"power", power}};

int main(void) {
  for (int i = 0; i < 3; i++) say("%s %d\n", operations[i].name, operations[i].run(7, 2));
  for (int i = 0; i < 3; i++) say("%s %d\n", own[i].name, own[i].run(7, 2));
  return 0;
}
