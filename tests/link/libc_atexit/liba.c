// libc: yes
// link: -lc
#include <stdio.h>
#include <stdlib.h>

static void bye(void) {
  puts("a's");
}

void register_in_a(void) {
  atexit(bye);
}

__attribute__((destructor)) static void destroy(void) {
  puts("a's destructor");
}
