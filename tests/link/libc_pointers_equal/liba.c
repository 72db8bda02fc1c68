// libc: yes
// link: -lc
#include <stdio.h>
#include <stdlib.h>

void (*free_in_a(void))(void *) {
  return free;
}

FILE *stdout_in_a(void) {
  return stdout;
}
