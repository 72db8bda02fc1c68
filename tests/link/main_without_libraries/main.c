#include "say.h"

static int numbers[] = {1, 2, 3};
static int *pointers[] = {&numbers[2], &numbers[1], &numbers[0]};

int main(void) {
  for (int i = 0; i < 3; i++) say("%d\n", *pointers[i]);
  return 0;
}
