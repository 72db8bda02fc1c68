#include "shared.h"

void a() {
  counter++;
  hidden()++;
  Holder<int>::value++;
}
