#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *a = dlopen("liba.so", RTLD_NOW), *b = dlopen("libb.so", RTLD_NOW);
  int (*next_a)(void) = (int (*)(void))dlsym(a, "next");
  int (*next_b)(void) = (int (*)(void))dlsym(b, "next");
  int a1 = next_a(), a2 = next_a(), b1 = next_b();
  say("%d %d %d\n", a1, a2, b1);
  return 0;
}
