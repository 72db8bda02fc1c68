// libc: yes
// link: -lc
#include <stdio.h>

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("%d: %s\n", i, argv[i]);
  printf("%5.2f|%-6s|%06x|%lld|%c\n", 3.14159, "left", 0xbeef, 1LL << 40, 'c');
  fprintf(stderr, "to stderr\n");
  return 3;
}
