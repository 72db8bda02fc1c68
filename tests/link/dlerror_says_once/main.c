#include "say.h"
#include <dlfcn.h>

int main(void) {
  say("%d\n", dlerror() != 0);
  dlopen("libfirst.so", RTLD_NOW);
  dlopen("libsecond.so", RTLD_NOW);
  char *text = dlerror();
  say("%d %d\n", text != 0, dlerror() != 0);
  int is_second = 0;
  for (char *at = text; *at; at++) is_second |= at[0] == 's' && at[1] == 'e' && at[2] == 'c' && at[3] == 'o';
  say("%d\n", is_second);
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", plugin && !dlerror());
  return 0;
}
