// link: -la
// cc: -fno-rtti
#include "say.h"

struct Counter {
  int value = 0;
  virtual int add(int);
  int twice(int);
};
int call(Counter &, int (Counter::*)(int), int);

struct Louder : Counter {
  int add(int x) override { return value += 100 * x; }
};

int main() {
  Counter counter;
  Louder louder;
  int a = call(counter, &Counter::add, 5), b = call(counter, &Counter::twice, 1), c = call(louder, &Counter::add, 5);
  say("%d %d %d\n", a, b, c);
  return 0;
}
