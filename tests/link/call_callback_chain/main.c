// link: -lmap -lreduce
#include "say.h"

void map(int *, int, int (*)(int, void *), void *);
int reduce(int *, int, int (*)(int, int), void (*)(int (*)(int, int)));

static int times(int x, void *factor) {
  return x * *(int *)factor;
}

static int add(int a, int b) {
  return a + b;
}

static void seen(int (*function)(int, int)) {
  say("passed on: %d\n", function == add);
}

int main(void) {
  int numbers[] = {1, 2, 3, 4}, factor = 10;
  map(numbers, 4, times, &factor);
  say("%d\n", reduce(numbers, 4, add, seen));
  return 0;
}
