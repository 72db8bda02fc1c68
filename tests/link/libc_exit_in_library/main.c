// libc: yes
// link: -la -lc
#include <stdio.h>

void leave(void);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  printf("not ended by a newline");
  leave();
  puts("not reached");
  return 0;
}
