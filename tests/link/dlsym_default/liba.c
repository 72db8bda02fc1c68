#include <dlfcn.h>

int twice = 2;

int *found_by_a(const char *name) {
  return dlsym(RTLD_DEFAULT, name);
}
