// libc: yes
// link: -lc
#include <stdio.h>

__attribute__((destructor)) static void destroy(void) {
  puts("plugin's destructor");
}
