// libc: yes
// link: -lc
#include <stdlib.h>

const char *get_in_a(const char *name) {
  return getenv(name);
}
