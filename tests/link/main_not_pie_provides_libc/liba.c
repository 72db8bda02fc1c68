// libc: yes
#include <stdio.h>
#include <string.h>

char *greet(const char *name) {
  printf("hello from the %s\n", name);
  return strdup("returned");
}
