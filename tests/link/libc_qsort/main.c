// libc: yes
// link: -lcompare -lc
#include <stdio.h>
#include <stdlib.h>

int descending(const void *, const void *);
int (*by_name(void))(const void *, const void *);

static int comparisons;

static int ascending(const void *a, const void *b) {
  comparisons++;
  return *(const int *)a - *(const int *)b;
}

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  int numbers[] = {5, 3, 9, 1, 7}, key = 7;
  qsort(numbers, 5, sizeof *numbers, ascending);
  for (int i = 0; i < 5; i++) printf("%d ", numbers[i]);
  int *found = bsearch(&key, numbers, 5, sizeof *numbers, ascending);
  printf("(%td) %d\n", found - numbers, comparisons > 5);
  qsort(numbers, 5, sizeof *numbers, descending);
  for (int i = 0; i < 5; i++) printf("%d ", numbers[i]);
  puts("");
  const char *names[] = {"pear", "apple", "fig"};
  qsort(names, 3, sizeof *names, by_name());
  puts(names[0]);
  return 0;
}
