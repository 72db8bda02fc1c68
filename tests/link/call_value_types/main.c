// link: -la
#include "say.h"

long long wide(int, long long, unsigned char);
float narrow(float, double);
double many(int, long long, float, double, int, long long, float, double, int, long long, float, double);
extern long long (*wide_pointer)(int, long long, unsigned char);
signed char negative(void);

int main(void) {
  long long value = wide(1, 0x100000000LL, 200);
  say("%d %d\n", (int)(value >> 32), (int)value);
  say("%d\n", wide_pointer(1, 0x100000000LL, 200) == value);
  say("%d\n", (int)(narrow(1.5f, 2.25) * 100));
  say("%d\n", (int)many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  say("%d\n", negative());
  return 0;
}
