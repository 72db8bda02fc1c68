// link: -louter -Lsub
#include "say.h"
#include <dlfcn.h>

int open_inner(void);

int main(void) {
  // The program itself does not look there.
  say("%d\n", dlopen("libinner.so", RTLD_NOW) != 0);
  say("%d\n", open_inner());
  // What is loaded is found by its name.
  say("%d\n", dlopen("libinner.so", RTLD_NOW) != 0);
  return 0;
}
