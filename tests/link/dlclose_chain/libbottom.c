#include "say.h"

__attribute__((destructor)) static void destroy(void) {
  say("-bottom\n");
}
