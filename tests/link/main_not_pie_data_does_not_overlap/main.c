// kind: static
// link: -la
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern unsigned char library_data[100000];
static unsigned char own_data[100000];

static int all_are(const unsigned char *data, size_t size, int value) {
  for (size_t i = 0; i < size; i++)
    if (data[i] != value) return 0;
  return 1;
}

int main(void) {
  unsigned char on_stack[1000];
  memset(library_data, 1, sizeof library_data);
  memset(own_data, 2, sizeof own_data);
  memset(on_stack, 3, sizeof on_stack);
  unsigned char *blocks[40];
  for (int i = 0; i < 40; i++) memset(blocks[i] = malloc(100000), 4 + i, 100000);
  int blocks_are_right = 1;
  for (int i = 0; i < 40; i++) blocks_are_right &= all_are(blocks[i], 100000, 4 + i);
  printf("library %d, own %d, stack %d, heap %d\n", all_are(library_data, sizeof library_data, 1),
         all_are(own_data, sizeof own_data, 2), all_are(on_stack, sizeof on_stack, 3), blocks_are_right);
  return 0;
}
