// link: -ltable
#include "say.h"
#include <dlfcn.h>

int table_size(void);

int main(void) {
  unsigned long memory = 0;
  int table = 0, sum = 0;
  for (int i = 0; i < 10000; i++) {
    void *plugin = dlopen("libplugin.so", i % 2 ? RTLD_NOW : RTLD_LAZY);
    if (!plugin) {
      say("%d: %s\n", i, dlerror());
      return 1;
    }
    int (*const *functions)(int) = (int (*const *)(int))dlsym(plugin, "functions");
    sum += functions[i % 2](i % 10);
    if (dlclose(plugin)) return 2;
    if (i == 100) {
      memory = __builtin_wasm_memory_size(0);
      table = table_size();
    }
  }
  say("%d\n", sum);
  say("%d %d\n", __builtin_wasm_memory_size(0) == memory, table_size() == table);
  return 0;
}
