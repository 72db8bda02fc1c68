// libc: yes
// link: -la -lc
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void register_in_a(void);

static void bye(void) {
  puts("main's");
}

__attribute__((destructor)) static void destroy(void) {
  puts("main's destructor");
}

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  atexit(bye);
  register_in_a();
  if (!dlopen("libplugin.so", RTLD_NOW)) puts(dlerror());
  puts("exit");
  exit(5);
}
