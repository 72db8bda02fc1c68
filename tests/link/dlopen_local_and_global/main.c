#include "say.h"
#include <dlfcn.h>

static int finds(void *where) {
  return dlsym(where, "of_provider") != 0;
}

int main(void) {
  void *provider = dlopen("libprovider.so", RTLD_NOW | RTLD_LOCAL);
  say("its handle: %d, all: %d\n", finds(provider), finds(RTLD_DEFAULT));
  say("user: %d\n", dlopen("libuser.so", RTLD_NOW) != 0);
  say("global: %d\n", dlopen("libprovider.so", RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL) == provider);
  say("all: %d\n", finds(RTLD_DEFAULT));
  void *user = dlopen("libuser.so", RTLD_NOW);
  say("user: %d\n", user != 0);
  if (user) say("%d\n", ((int (*)(void))dlsym(user, "use"))());
  return 0;
}
