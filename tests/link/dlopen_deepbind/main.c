// link: --export=who
#include "say.h"
#include <dlfcn.h>

const char *who(void) {
  return "main";
}

static const char *ask(const char *name, int flags) {
  return ((const char *(*)(void))dlsym(dlopen(name, RTLD_NOW | flags), "ask"))();
}

int main(void) {
  say("%s\n", ask("libplain.so", 0));
  say("%s\n", ask("libdeep.so", RTLD_DEEPBIND));
  return 0;
}
