/* A plugin that does its work, and then tries what it may not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <time.h>

__attribute__((import_module("host"), import_name("count"))) int count(int n);

/* Counts the words in the file that it was given. */
__attribute__((export_name("words"))) int words(void) {
  FILE *file = fopen("/data/words.txt", "r");
  if (!file) return -1;
  int found = 0;
  char word[64];
  while (fscanf(file, "%63s", word) == 1) found++;
  fclose(file);
  count(found);
  return found;
}

/* Tries to write, to look elsewhere and to read the clock; how often it could. */
__attribute__((export_name("sneak"))) int sneak(void) {
  int done = 0;
  FILE *file = fopen("/data/words.txt", "w");
  if (file) done++;
  printf("plugin: writing: %s\n", strerror(errno));
  if (fopen("/plugin.wasm", "r")) done++;
  printf("plugin: another directory: %s\n", strerror(errno));
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) == 0) done++;
  printf("plugin: the clock: %s\n", strerror(errno));
  fflush(stdout);
  return done;
}

__attribute__((export_name("crash"))) int crash(void) { __builtin_trap(); }
