// link: -ltable
#include "say.h"
#include <dlfcn.h>

int grow(int);
int call_last(void);

int main(void) {
  say("%d\n", grow(1000) > 0);
  int (*(*pointer)(void))(void) = (int (*(*)(void))(void))dlsym(dlopen("libplugin.so", RTLD_NOW), "pointer");
  say("%d %d\n", pointer()(), call_last());
  return 0;
}
