// libc: yes
// link: -lc
#include <stdio.h>
#include <stdlib.h>

static void bye(void) {
  puts("plugin's");
}

__attribute__((constructor)) static void construct(void) {
  atexit(bye);
}
