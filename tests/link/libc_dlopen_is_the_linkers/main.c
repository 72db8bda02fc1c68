// libc: yes
// link: -lc
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  if (!plugin) return printf("%s\n", dlerror()), 1;
  printf("%d\n", *(int *)dlsym(plugin, "value"));
  return 0;
}
