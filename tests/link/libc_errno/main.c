// libc: yes
// link: -la -lc
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int errno_in_a(void);
void set_errno_in_a(int);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  errno = 0;
  strtol("99999999999999999999", 0, 10);
  printf("%d %d\n", errno == ERANGE, errno_in_a() == ERANGE);
  set_errno_in_a(ENOENT);
  perror("set by a");
  printf("%d\n", errno == ENOENT);
  return 0;
}
