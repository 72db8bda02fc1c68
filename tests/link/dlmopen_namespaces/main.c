// link: --export=of_main
#include "say.h"
#include <dlfcn.h>

int of_main(void) {
  return 1;
}

static int next(void *library) {
  return ((int (*)(void))dlsym(library, "next"))();
}

int main(void) {
  void *base = dlopen("libplugin.so", RTLD_NOW);
  say("%d\n", dlmopen(LM_ID_BASE, "libplugin.so", RTLD_NOW) == base);
  void *first = dlmopen(LM_ID_NEWLM, "libplugin.so", RTLD_NOW);
  void *second = dlmopen(LM_ID_NEWLM, "libplugin.so", RTLD_NOW);
  say("%d\n", first && second && base != first && first != second);
  int values[] = {next(base), next(base), next(first), next(second), next(first)};
  for (int i = 0; i < 5; i++) say("%d%c", values[i], i == 4 ? '\n' : ' ');
  // They share what they need within a namespace only.
  int *(*shared)(void) = (int *(*)(void))dlsym(first, "shared");
  say("%d %d\n", shared() == (int *)dlsym(first, "shared_data"), shared() == (int *)dlsym(second, "shared_data"));
  // The program's symbols are not in a new namespace.
  void *needs_main = dlmopen(LM_ID_NEWLM, "libneedsmain.so", RTLD_NOW);
  say("%d %d\n", dlopen("libneedsmain.so", RTLD_NOW) != 0, needs_main != 0);
  say("%d %d\n", dlclose(first), next(second));
  return 0;
}
