// libc: yes
// link: -lc
#include <errno.h>

int errno_in_a(void) {
  return errno;
}

void set_errno_in_a(int value) {
  errno = value;
}
