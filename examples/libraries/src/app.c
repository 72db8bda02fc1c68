// A program that opens each library it is told of, has it work, and closes it.
#include "text.h"
#include <dlfcn.h>
#include <stddef.h>

__attribute__((import_module("wasi_snapshot_preview1"), import_name("args_sizes_get"))) int
args_sizes_get(size_t *count, size_t *bytes);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("args_get"))) int
args_get(char **args, char *bytes);

static void use(const char *name) {
  void *plugin = dlopen(name, RTLD_NOW);
  if (!plugin) {
    print(dlerror());
    return;
  }
  const char *(*work)(const char *) = (const char *(*)(const char *))dlsym(plugin, "work");
  print(work ? work("Orcas hunt together.") : dlerror());
  dlclose(plugin);
}

void _start(void) {
  static char *args[32], bytes[4096];
  size_t count, length;
  args_sizes_get(&count, &length);
  if (count > 32 || length > sizeof bytes) return;
  args_get(args, bytes);
  for (size_t i = 1; i < count; i++) use(args[i]);
  char total[] = "? lines";
  total[0] = (char)('0' + lines % 10);
  print(total);
}
