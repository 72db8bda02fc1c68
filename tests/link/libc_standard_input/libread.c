// libc: yes
// link: -lc
#include <stdio.h>

int read_sum(void) {
  int sum = 0, value;
  while (scanf("%d", &value) == 1) sum += value;
  return sum;
}
