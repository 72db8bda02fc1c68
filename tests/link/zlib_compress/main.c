// libc: yes
// link: -lc
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char byte;
typedef unsigned long size;

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  void *zlib = dlopen("libz.so", RTLD_NOW);
  if (!zlib) return puts(dlerror()), 1;
  const char *(*version)(void) = dlsym(zlib, "zlibVersion");
  size (*bound)(size) = dlsym(zlib, "compressBound");
  int (*compress)(byte *, size *, const byte *, size, int) = dlsym(zlib, "compress2");
  int (*uncompress)(byte *, size *, const byte *, size) = dlsym(zlib, "uncompress");
  size (*crc32)(size, const byte *, unsigned) = dlsym(zlib, "crc32");

  size length = 50000, packed_length = bound(length), unpacked_length = length;
  byte *text = malloc(length), *packed = malloc(packed_length), *unpacked = malloc(length);
  unsigned state = 1;
  for (size i = 0; i < length; i++) {
    state = state * 1103515245 + 12345;
    text[i] = "abcdefgh"[i % 11 == 0 ? state >> 29 : i % 8];
  }
  printf("zlib %s\n", version());
  printf("%d\n", compress(packed, &packed_length, text, length, 6));
  printf("a quarter or less: %d\n", packed_length * 4 < length);
  printf("%d\n", uncompress(unpacked, &unpacked_length, packed, packed_length));
  printf("%d %d\n", unpacked_length == length, memcmp(text, unpacked, length) == 0);
  printf("%08lx\n", crc32(0, (const byte *)"123456789", 9));
  printf("%d\n", dlclose(zlib));
  return 0;
}
