// kind: static
// link: --unresolved-symbols=import-dynamic --export=printf --export=malloc --export=free
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  for (int i = 0; i < 3; i++) {
    void *plugin = dlopen("libplugin.so", RTLD_NOW);
    if (!plugin) return puts(dlerror()), 1;
    int *block = ((int *(*)(int))dlsym(plugin, "make"))(i);
    printf("%d\n", block[999]);
    free(block);
    printf("%d\n", dlclose(plugin));
  }
  return 0;
}
