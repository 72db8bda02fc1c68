// libc: yes
// link: -la -lc
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef void (*function)(void *);
function free_in_a(void);
extern FILE *stdout_in_a(void);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  printf("%d %d\n", free_in_a() == free, (function)dlsym(RTLD_DEFAULT, "free") == free);
  void *libc = dlopen("libc.so", RTLD_NOW);
  printf("%d\n", (function)dlsym(libc, "free") == free);
  printf("%d\n", stdout_in_a() == stdout);
  return 0;
}
