// libc: yes
// cc: -fno-builtin
// link: -lc
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  (void)argv;
  volatile size_t lengths = 0;
  for (int i = 0; i < 3; i++) lengths += strlen(argc > 5 ? "other" : "four") + (size_t)i;
  printf("%zu\n", lengths);
  return 0;
}
