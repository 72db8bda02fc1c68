// link: -la
#include "say.h"
#include <dlfcn.h>

int who(void), who_in_a(void);

int main(void) {
  say("%d %d\n", who(), who_in_a());
  dlopen("liblater.so", RTLD_NOW | RTLD_GLOBAL);
  say("%d %d\n", who(), who_in_a());
  say("%d\n", ((int (*)(void))dlsym(RTLD_DEFAULT, "who"))());
  return 0;
}
