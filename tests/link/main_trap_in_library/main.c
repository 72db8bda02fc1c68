// link: -la --export=divide
#include "say.h"

int outer(int);

__attribute__((noinline)) int divide(int a, int b) {
  return a / b;
}

int main(void) {
  say("before\n");
  return outer(0);
}
