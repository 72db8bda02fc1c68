// link: -la --export=of_main
#include "say.h"
#include <dlfcn.h>

typedef void (*function)(void);
void of_a(void);

void of_main(void) {
}

int main(void) {
  function volatile main_before = of_main, a_before = of_a;
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  function (*takes)(int) = (function(*)(int))dlsym(plugin, "takes");
  function of_plugin = (function)dlsym(plugin, "of_plugin");
  say("%d %d %d\n", takes(0) == main_before, takes(1) == a_before, takes(2) == of_plugin);
  say("%d %d\n", (function)dlsym(RTLD_DEFAULT, "of_main") == main_before,
      (function)dlsym(RTLD_DEFAULT, "of_a") == a_before);
  say("%d\n", (function)dlsym(plugin, "of_plugin") == of_plugin);
  return 0;
}
