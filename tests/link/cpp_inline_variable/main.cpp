// link: -la -lb --export-dynamic
#include "say.h"
#include "shared.h"

void a();
void b();

int main() {
  a();
  b();
  say("%d %d %d\n", counter, hidden(), Holder<int>::value);
  return 0;
}
