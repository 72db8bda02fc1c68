// Arguments, environment, clocks, random numbers, exit handlers and exit code:
// the first argument is the code to exit with.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void first(void) { puts("registered first, runs last"); }
static void second(void) { puts("registered second, runs first"); }

static int compare(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv) {
  atexit(first);
  atexit(second);
  printf("%d arguments\n", argc - 1);
  for (int i = 1; i < argc; i++) {
    printf("  [%s]\n", argv[i]);
  }
  size_t count = 0;
  while (environ[count] != NULL) {
    count++;
  }
  qsort(environ, count, sizeof *environ, compare);
  printf("%zu variables\n", count);
  for (size_t i = 0; i < count; i++) {
    printf("  [%s]\n", environ[i]);
  }
  const char *home = getenv("ORCA_HOME");
  printf("ORCA_HOME is %s\n", home != NULL ? home : "not set");

  struct timespec before, after, wait = {.tv_nsec = 2000000};
  clock_gettime(CLOCK_MONOTONIC, &before);
  nanosleep(&wait, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  long long slept = (after.tv_sec - before.tv_sec) * 1000000000LL + (after.tv_nsec - before.tv_nsec);
  printf("slept long enough: %s\n", slept >= 2000000 ? "yes" : "no");
  printf("the year is 2020 or later: %s\n", time(NULL) > 1577836800 ? "yes" : "no");

  unsigned char random[64] = {0};
  int nonzero = 0;
  if (getentropy(random, sizeof random) == 0) {
    for (size_t i = 0; i < sizeof random; i++) {
      nonzero += random[i] != 0;
    }
  }
  printf("random bytes: %s\n", nonzero > 32 ? "yes" : "no");
  fflush(stdout);
  return argc > 1 ? atoi(argv[1]) : 0;
}
