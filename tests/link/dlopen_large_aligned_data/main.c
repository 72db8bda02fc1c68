#include "say.h"
#include <dlfcn.h>

int main(void) {
  for (int round = 0; round < 3; round++) {
    void *library = dlopen("liblarge.so", RTLD_NOW);
    if (!library) return say("%s\n", dlerror()), 1;
    unsigned char *data = dlsym(library, "data");
    int *initial = dlsym(library, "initial"), others = 0;
    for (int i = 0; i < 3 << 20; i++) others += data[i];
    say("%d %d %d\n", ((unsigned)data & 0xffff) == 0, others, initial[2]);
    for (int i = 0; i < 3 << 20; i++) data[i] = 0xff;
    initial[2] = 7;
    dlclose(library);
  }
  return 0;
}
