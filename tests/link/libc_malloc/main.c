// libc: yes
// link: -lblocks -lc
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *grow(char *block, size_t size);
void release(char *block);
extern void *(*allocate)(size_t);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  char *block = allocate(16);
  strcpy(block, "kept");
  for (size_t size = 32; size <= 8 << 20; size *= 2) {
    block = grow(block, size);
    if (!block) return 1;
    memset(block + 5, 1, size - 5);
  }
  puts(block);
  release(block);
  char *many[1000];
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < 1000; i++) memset(many[i] = i % 2 ? malloc(i) : allocate(i), round, i);
    for (int i = 0; i < 1000; i++) i % 3 ? free(many[i]) : release(many[i]);
  }
  puts("done");
  return 0;
}
