// link: --export=shared_name
#include "say.h"
#include <dlfcn.h>

int shared_name = 1;

int main(void) {
  void *plugin = dlopen("libplugin.so", RTLD_NOW | RTLD_LOCAL);
  int *(*find)(const char *) = (int *(*)(const char *))dlsym(plugin, "find");
  int *own = find("own"), *needed = find("needed");
  say("%d %d %d\n", *find("shared_name"), own ? *own : -1, needed ? *needed : -1);
  say("%d %d\n", dlsym(RTLD_DEFAULT, "own") != 0, dlsym(RTLD_DEFAULT, "needed") != 0);
  return 0;
}
