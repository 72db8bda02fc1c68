#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *top = dlopen("libtop.so", RTLD_NOW), *middle = dlopen("libmiddle.so", RTLD_NOW);
  dlclose(top);
  say("top closed\n");
  dlclose(middle);
  say("middle closed\n");
  top = dlopen("libtop.so", RTLD_NOW);
  dlclose(top);
  say("all closed\n");
  return 0;
}
