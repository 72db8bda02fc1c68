// libc: yes
// link: -llog -lc
#include <stdio.h>

int log_line(const char *format, ...);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  printf("%d\n", log_line("%s %d %.1f", "text", 42, 1.5));
  return 0;
}
