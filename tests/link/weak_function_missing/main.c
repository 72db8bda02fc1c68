// link: -la
#include "say.h"

void missing(void) __attribute__((weak));
void there(void) __attribute__((weak));

int main(void) {
  if (missing) missing();
  else say("missing\n");
  if (there) there();
  else say("not there\n");
  return 0;
}
