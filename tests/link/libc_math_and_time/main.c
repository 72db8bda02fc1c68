// libc: yes
// link: -lc
// cc: -fno-builtin
#include <math.h>
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  printf("%.6f %.6f %.3e\n", sin(1), pow(2, 0.5), exp(10));
  struct timespec first, second;
  clock_gettime(CLOCK_MONOTONIC, &first);
  clock_gettime(CLOCK_MONOTONIC, &second);
  printf("%d\n", second.tv_sec > first.tv_sec || (second.tv_sec == first.tv_sec && second.tv_nsec >= first.tv_nsec));
  time_t noon = 1000000000;
  char text[40];
  strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", gmtime(&noon));
  puts(text);
  return 0;
}
