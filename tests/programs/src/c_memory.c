// The allocator and memory.grow: many blocks of changing size, each filled and
// checked, then blocks large enough to make the memory grow, then a request
// that cannot be met.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 500, ROUNDS = 20000 };

static uint32_t state = 12345;

static uint32_t next(void) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

static int holds(const unsigned char *block, size_t size, unsigned char fill) {
  for (size_t i = 0; i < size; i++) {
    if (block[i] != fill) {
      return 0;
    }
  }
  return 1;
}

int main(void) {
  unsigned char *blocks[BLOCKS] = {0};
  size_t sizes[BLOCKS] = {0};
  uint64_t allocated = 0;
  int wrong = 0;
  for (int round = 0; round < ROUNDS; round++) {
    size_t i = next() % BLOCKS;
    size_t size = 1 + next() % 2000;
    wrong += !holds(blocks[i], sizes[i], (unsigned char)i);
    if (round % 3 == 0) {
      free(blocks[i]);
      blocks[i] = malloc(size);
    } else if (round % 3 == 1) {
      size_t kept = size < sizes[i] ? size : sizes[i];
      blocks[i] = realloc(blocks[i], size);
      wrong += !holds(blocks[i], kept, (unsigned char)i);
    } else {
      free(blocks[i]);
      blocks[i] = calloc(size, 1);
      wrong += !holds(blocks[i], size, 0);
    }
    memset(blocks[i], (int)(unsigned char)i, size);
    sizes[i] = size;
    allocated += size;
  }
  printf("%d rounds, %llu bytes allocated, %d wrong\n", ROUNDS, (unsigned long long)allocated, wrong);
  for (int i = 0; i < BLOCKS; i++) {
    free(blocks[i]);
  }

  uint64_t sum = 0;
  for (size_t megabytes = 1; megabytes <= 64; megabytes *= 2) {
    size_t size = megabytes << 20;
    unsigned char *large = calloc(size, 1);
    large[0] = 1;
    large[size - 1] = 2;
    memmove(large + size / 2, large, size / 2);
    sum += large[size / 2] + large[size - 1];
    free(large);
  }
  printf("large blocks: %llu\n", (unsigned long long)sum);

  volatile size_t too_much = (size_t)3 << 30;
  void *volatile first = malloc(too_much), *volatile second = malloc(too_much);
  printf("two blocks of 3 GiB: %s\n", first != NULL && second != NULL ? "given" : "refused");
  return wrong != 0;
}
