#include "say.h"
#include <dlfcn.h>

int main(void) {
  dlopen("libother.so", RTLD_NOW);
  void *top = dlopen("libtop.so", RTLD_NOW), *right = dlopen("libright.so", RTLD_NOW);
  // left and right both have `side`, and `deep` is below left only; right has it itself too.
  say("%d %d\n", *(int *)dlsym(top, "side"), *(int *)dlsym(right, "side"));
  say("%d %d\n", *(int *)dlsym(top, "deep"), dlsym(right, "deep") == dlsym(top, "deep"));
  say("%d %d\n", dlsym(top, "of_other") != 0, dlsym(right, "of_top") != 0);
  return 0;
}
