// link: -lneeded
#include <dlfcn.h>

int own = 2, shared_name = 4;

int *find(const char *name) {
  return dlsym(RTLD_DEFAULT, name);
}
