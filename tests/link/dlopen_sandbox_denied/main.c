#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *box = dlopen("libbox.so", RTLD_NOW | RTLD_SANDBOX);
  if (!box) {
    say("%s\n", dlerror());
    return 1;
  }
  int (*add)(int, int) = (int (*)(int, int))dlsym(box, "add");
  say("%d\n", add(40, 2));
  // Its memory is not the program's.
  int (*load)(int) = (int (*)(int))dlsym(box, "load");
  int local = 7;
  say("%d\n", load((int)(uintptr_t)&local));
  say("%d\n", dlsym(box, "add") == (void *)(uintptr_t)add);
  say("%d: %s\n", dlsym(box, "nothing") == 0, dlerror());
  // Another one is another.
  void *second = dlopen("libbox.so", RTLD_LAZY | RTLD_SANDBOX);
  int (*count)(void) = (int (*)(void))dlsym(box, "count");
  int (*other)(void) = (int (*)(void))dlsym(second, "count");
  count();
  count();
  say("%d %d\n", count(), other());
  say("%d\n", dlclose(box));
  say("%d: %s\n", dlclose(box), dlerror());
  say("%d\n", other());
  return 0;
}
