// libc: yes
// link: -lc
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 40, SIZE = 300000 };
static unsigned char *blocks[BLOCKS];

static int is_all(const unsigned char *data, size_t size, int value) {
  for (size_t i = 0; i < size; i++)
    if (data[i] != value) return 0;
  return 1;
}

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  unsigned char *data[2] = {0, 0};
  for (int i = 0; i < BLOCKS; i++) {
    if (i == 10 || i == 20) {
      void *library = dlopen(i == 10 ? "libfirst.so" : "libsecond.so", RTLD_NOW);
      if (!library) return puts(dlerror()), 1;
      data[i / 20] = dlsym(library, "data");
      memset(data[i / 20], 200 + i, 200000);
    }
    blocks[i] = malloc(SIZE);
    if (!blocks[i]) return puts("no memory"), 1;
    memset(blocks[i], i, SIZE);
  }
  int right = 1;
  for (int i = 0; i < BLOCKS; i++) right &= is_all(blocks[i], SIZE, i);
  printf("%d %d %d\n", right, is_all(data[0], 200000, 210), is_all(data[1], 200000, 220));
  return 0;
}
