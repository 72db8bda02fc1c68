#include "shared.h"

void b() {
  counter++;
  hidden()++;
  Holder<int>::value++;
}
