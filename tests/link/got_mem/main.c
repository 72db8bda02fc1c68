// link: -la -lb
#include "say.h"

extern int number;
extern const char *name;
void set(int);
int get(void);

int main(void) {
  say("%d %s\n", number, name);
  number = 5;
  say("%d\n", get());
  set(6);
  say("%d\n", number);
  return 0;
}
