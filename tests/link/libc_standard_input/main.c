// libc: yes
// link: -lread -lc
#include <stdio.h>

int read_sum(void);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  printf("%d\n", read_sum());
  return 0;
}
