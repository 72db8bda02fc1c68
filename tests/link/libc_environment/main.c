// libc: yes
// link: -la -lc
#include <stdio.h>
#include <stdlib.h>

const char *get_in_a(const char *);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  printf("%s\n", get_in_a("FROM_OUTSIDE"));
  setenv("FROM_MAIN", "too", 1);
  printf("%s\n", get_in_a("FROM_MAIN"));
  return 0;
}
