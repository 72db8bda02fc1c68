#include <stdarg.h>

int sum(int count, ...) {
  va_list arguments;
  va_start(arguments, count);
  int sum = 0;
  while (count--) sum += va_arg(arguments, int);
  va_end(arguments);
  return sum;
}

double mixed(const char *kinds, ...) {
  va_list arguments;
  va_start(arguments, kinds);
  double sum = 0;
  for (; *kinds; kinds++) {
    if (*kinds == 'i') sum += va_arg(arguments, int);
    if (*kinds == 'd') sum += va_arg(arguments, double);
    if (*kinds == 'l') sum += (double)(va_arg(arguments, long long) >> 33);
  }
  va_end(arguments);
  return sum;
}
