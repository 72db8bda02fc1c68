// libc: yes
// link: -lc
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  for (int i = 0; i < 3; i++) {
    void *plugin = dlopen("libplugin.so", RTLD_NOW);
    if (!plugin) return puts(dlerror()), 1;
    char text[100];
    ((void (*)(int, char *))dlsym(plugin, "format"))(i, text);
    puts(text);
    printf("%d\n", dlclose(plugin));
  }
  return 0;
}
