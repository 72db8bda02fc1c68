// libc: yes
// link: -lc
#include <string.h>

int descending(const void *a, const void *b) {
  return *(const int *)b - *(const int *)a;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int (*by_name(void))(const void *, const void *) {
  return compare_names;
}
