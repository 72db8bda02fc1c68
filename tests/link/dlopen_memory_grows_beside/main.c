#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *library = dlopen("libdata.so", RTLD_NOW);
  if (!library) return say("%s\n", dlerror()), 1;
  unsigned char *data = dlsym(library, "data");
  for (int i = 0; i < 100000; i++) data[i] = 0x55;
  int grown = 0;
  for (;; grown++) {
    unsigned long page = __builtin_wasm_memory_grow(0, 1);
    if (page == (unsigned long)-1) break;
    // What is new is zero and may be written.
    volatile unsigned char *first = (unsigned char *)(page << 16);
    if (first[0] || first[65535]) return say("not zero\n"), 1;
    first[0] = first[65535] = 0xaa;
  }
  int changed = 0;
  for (int i = 0; i < 100000; i++) changed += data[i] != 0x55;
  say("%d %d\n", grown > 100, changed);
  // What libraries have counts too, so there is no room for another.
  say("%d\n", dlopen("libmore.so", RTLD_NOW) != 0);
  return 0;
}
