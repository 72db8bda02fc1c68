// libc: yes
// link: -lc
#include <stdlib.h>

void *(*allocate)(size_t) = malloc;

char *grow(char *block, size_t size) {
  return realloc(block, size);
}

void release(char *block) {
  free(block);
}
