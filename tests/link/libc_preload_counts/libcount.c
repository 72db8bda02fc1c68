// libc: yes
// cc: -fno-builtin
// link: -lc
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

size_t strlen(const char *text) {
  static size_t (*next)(const char *);
  if (!next) {
    next = (size_t(*)(const char *))dlsym(RTLD_NEXT, "strlen");
    printf("strlen is counted\n");
  }
  return next(text);
}
