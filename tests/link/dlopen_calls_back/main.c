// link: --export=register_plugin --export=version
#include "say.h"
#include <dlfcn.h>

typedef int (*function)(int);
const int version = 7;
static function registered[4];
static int count;

void register_plugin(const char *name, function function) {
  say("registers %s\n", name);
  registered[count++] = function;
}

int main(void) {
  dlopen("libdouble.so", RTLD_NOW);
  dlopen("libnegate.so", RTLD_NOW);
  for (int i = 0; i < count; i++) say("%d\n", registered[i](21));
  return 0;
}
