// libc: yes
// link: -lc
#include <stdlib.h>

void *allocate_in_library(size_t size) {
  return malloc(size);
}
