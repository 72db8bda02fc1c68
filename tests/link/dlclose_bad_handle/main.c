#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", dlclose(plugin));
  int again = dlclose(plugin);
  say("%d %s\n", again != 0, dlerror());
  int never = dlclose((void *)0x12345);
  say("%d %s\n", never != 0, dlerror());
  int null = dlclose(0);
  say("%d %s\n", null != 0, dlerror());
  return 0;
}
