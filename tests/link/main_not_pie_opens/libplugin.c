// libc: yes
#include <stdio.h>
#include <stdlib.h>

static int calls;

int *make(int value) {
  int *block = malloc(1000 * sizeof *block);
  for (int i = 0; i < 1000; i++) block[i] = value + ++calls;
  printf("made with %d calls\n", calls);
  return block;
}
