// link: -lbottom
#include "say.h"

__attribute__((destructor)) static void destroy(void) {
  say("-middle\n");
}
