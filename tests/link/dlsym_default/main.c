// link: -la -lb --export=of_main
#include "say.h"
#include <dlfcn.h>

int of_main = 1;
int *found_by_a(const char *);

int main(void) {
  say("%d\n", dlsym(RTLD_DEFAULT, "of_main") == &of_main);
  say("%d %d\n", *(int *)dlsym(RTLD_DEFAULT, "twice"), *found_by_a("twice"));
  say("%d\n", found_by_a("of_main") == &of_main);
  say("%d\n", dlsym(RTLD_DEFAULT, "nothing") == 0);
  // What the linker itself provides is found too.
  say("%d\n", dlsym(RTLD_DEFAULT, "dlopen") != 0);
  return 0;
}
