// link: -lwork
#include "say.h"
#include <dlfcn.h>

int work(int);

int main(void) {
  say("%d\n", work(1));
  say("%d\n", dlsym(RTLD_NEXT, "only_main") == 0);
  return 0;
}
