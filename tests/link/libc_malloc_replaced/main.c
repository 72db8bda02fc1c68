// libc: yes
// link: -luser -lc --export=malloc --export=free
#include <stdio.h>
#include <stdlib.h>

static char arena[1 << 12];
static size_t used, calls;

void *malloc(size_t size) {
  void *block = arena + used;
  used += (size + 15) & ~(size_t)15;
  calls++;
  return block;
}

void free(void *block) {
  (void)block;
}

int uses_own(const void *block) {
  return (const char *)block >= arena && (const char *)block < arena + sizeof arena;
}

void *allocate_in_library(size_t size);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  size_t before = calls;
  void *block = allocate_in_library(10);
  printf("%d %zu\n", uses_own(block), calls - before);
  return 0;
}
