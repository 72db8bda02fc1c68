// link: -la --export=of_main --export=main_data
#include "say.h"
#include <dlfcn.h>

int of_a(void);
extern int a_data[4];
int main_data[2];

int of_main(void) {
  return 0;
}

static const char *base_name(const char *path) {
  const char *name = path;
  for (; path && *path; path++)
    if (*path == '/') name = path + 1;
  return name;
}

static void ask(const char *what, const void *address) {
  Dl_info info = {0, 0, 0, 0};
  int found = dladdr(address, &info);
  if (!found) {
    say("%s: nobody's\n", what);
    return;
  }
  say("%s: %s %s +%d, base %d\n", what, base_name(info.dli_fname), info.dli_sname,
      info.dli_saddr ? (int)((const char *)address - (const char *)info.dli_saddr) : 0, info.dli_fbase != 0);
}

int main(void) {
  ask("of_main", (const void *)of_main);
  ask("main_data", main_data);
  ask("of_a", (const void *)of_a);
  ask("a_data[2]", &a_data[2]);
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  ask("plugin's", dlsym(plugin, "of_plugin"));
  ask("the stack", &plugin);
  ask("null", 0);
  return 0;
}
