#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *copies[60];
  int sum = 0;
  for (int i = 0; i < 60; i++) {
    copies[i] = dlmopen(LM_ID_NEWLM, "libplugin.so", RTLD_NOW);
    if (!copies[i]) {
      say("%d: %s\n", i, dlerror());
      return 1;
    }
    *(int *)dlsym(copies[i], "value") = i;
  }
  for (int i = 0; i < 60; i++) sum += ((int (*)(void))dlsym(copies[i], "get"))();
  say("%d\n", sum);
  int failures = 0;
  for (int i = 0; i < 60; i++) failures += dlclose(copies[i]) != 0;
  say("%d\n", failures);
  return 0;
}
