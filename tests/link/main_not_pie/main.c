// kind: static
// link: -la
#include <stdio.h>
#include <stdlib.h>

int sum(const int *numbers, int count);
extern int sums;

int main(int argc, char **argv) {
  int *numbers = malloc(1000 * sizeof *numbers);
  for (int i = 0; i < 1000; i++) numbers[i] = i;
  printf("%s and %s of %d\n", argv[1], argv[2], argc);
  printf("%d\n", sum(numbers, 1000));
  printf("%d\n", sums);
  free(numbers);
  return 0;
}
