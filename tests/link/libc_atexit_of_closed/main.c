// libc: yes
// link: -lc
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void bye(void) {
  puts("main's");
}

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  if (!plugin) return puts(dlerror()), 1;
  atexit(bye);
  dlclose(plugin);
  puts("return");
  return 0;
}
