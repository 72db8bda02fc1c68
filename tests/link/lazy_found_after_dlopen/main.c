#include "say.h"
#include <dlfcn.h>

int late(int);

int main(void) {
  say("before\n");
  say("%d\n", dlopen("liblate.so", RTLD_LAZY | RTLD_GLOBAL) != 0);
  say("%d\n", late(41));
  return 0;
}
