// link: -la
#include "say.h"

int use(int);

int main(void) {
  say("not reached\n");
  return use(0);
}
