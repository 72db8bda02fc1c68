// link: -la
#include "say.h"
#include <dlfcn.h>

extern int a_data;

static int each(struct dl_phdr_info *info, size_t size, void *data) {
  const char *name = info->dlpi_name;
  for (const char *at = name; *at; at++)
    if (*at == '/') name = at + 1;
  say("'%s' %d\n", name, size >= offsetof(struct dl_phdr_info, dlpi_adds));
  return --*(int *)data == 0 ? 99 : 0;
}

static int count(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  ++*(int *)data;
  return info->dlpi_addr == 1;
}

int main(void) {
  a_data = 1;
  int left = 100, two = 2, modules = 0;
  say("%d\n", dl_iterate_phdr(each, &left));
  void *plugin = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", dl_iterate_phdr(each, &left));
  say("%d\n", dl_iterate_phdr(each, &two));
  dlclose(plugin);
  dl_iterate_phdr(count, &modules);
  say("%d\n", modules);
  return 0;
}
