// link: -la --export=third
#include "say.h"

const char *first(void), *second(void), *third_in_a(void);

const char *third(void) {
  return "main";
}

int main(void) {
  say("%s %s %s\n", first(), second(), third_in_a());
  return 0;
}
