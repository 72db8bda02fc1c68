#include "say.h"
#include <dlfcn.h>

int main(void) {
  void *provider = dlopen("libprovider.so", RTLD_NOW | RTLD_GLOBAL);
  void *user = dlopen("libuser.so", RTLD_NOW);
  int (*use)(void) = (int (*)(void))dlsym(user, "use");
  say("%d\n", dlclose(provider));
  say("%d\n", use());
  say("close user\n");
  dlclose(user);
  say("closed\n");
  return 0;
}
