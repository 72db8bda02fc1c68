#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *left = dlopen("libleft.so", RTLD_NOW), *right = dlopen("libright.so", RTLD_NOW);
  ((void (*)(void))dlsym(left, "left"))();
  say("close left\n");
  dlclose(left);
  ((void (*)(void))dlsym(right, "right"))();
  say("close right\n");
  dlclose(right);
  return 0;
}
