// printf and scanf of integers, strings and floating-point numbers, the hard
// cases of rounding and parsing among them, and the C library's mathematics.
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void integers(void) {
  printf("[%d] [%+d] [%5d] [%-5d] [%05d] [% d]\n", -7, 7, 42, 42, 42, 42);
  printf("[%u] [%o] [%x] [%#X] [%#o]\n", UINT_MAX, 0755, 0xbeef, 0xbeef, 8);
  printf("[%" PRId64 "] [%" PRIu64 "] [%" PRIx64 "]\n", INT64_MIN, UINT64_MAX, UINT64_C(0x123456789abcdef0));
  printf("[%hhd] [%hd] [%c] [%%] [%.3d] [%*d]\n", (signed char)200, (short)70000, 'z', 5, 6, 12);
  printf("[%s] [%8s] [%-8s] [%.2s]\n", "text", "right", "left", "cut here");
}

static void floats(void) {
  const double values[] = {0.0,      -0.0,    1.0,     0.1,     1.0 / 3.0,         123456789.0,
                           1e21,     1e-7,    2.5,     3.5,     0.30000000000000004, DBL_MAX,
                           DBL_MIN,  4.9e-324, INFINITY, -INFINITY, 9007199254740993.0, 5e-320};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    printf("%g %.17g %e %.3f %.0f %a\n", values[i], values[i], values[i], values[i] < 1e25 ? values[i] : 0.0,
           values[i] < 1e25 ? values[i] : 0.0, values[i]);
  }
  printf("%f %f\n", (double)0.1f, (double)16777217.0f);
}

static void parsing(void) {
  const char *const numbers[] = {"3.14159265358979323846", "0x1.8p3", "1e400", "-1e-400", "inf",
                                 "2.2250738585072011e-308", "179769313486231580793e289", "12abc", "none"};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char *end;
    errno = 0;
    double value = strtod(numbers[i], &end);
    printf("%s -> %.17g, left \"%s\"%s\n", numbers[i], value, end, errno == ERANGE ? ", out of range" : "");
  }
  int day, year, fields;
  char month[16];
  fields = sscanf("21 November 2026", "%d %15s %d", &day, month, &year);
  printf("%d fields: %d/%s/%d\n", fields, day, month, year);
  printf("%lld %ld %lu\n", strtoll("-9223372036854775808", NULL, 10), strtol("0777", NULL, 0), strtoul("zz", NULL, 36));
}

static void mathematics(void) {
  printf("%.15g %.15g %.15g\n", sqrt(2.0), floor(-2.5), ceil(-2.5));
  printf("%.15g %.15g %.15g %.15g\n", trunc(-2.7), round(2.5), rint(2.5), nearbyint(3.5));
  printf("%.12g %.12g %.12g\n", sin(1.0), cos(1.0), tan(1.0));
  printf("%.12g %.12g %.12g %.12g\n", exp(1.0), log(10.0), pow(2.0, 0.5), cbrt(27.0));
  printf("%.12g %.12g %.12g\n", atan2(-1.0, -1.0), hypot(3.0, 4.0), fmod(-7.5, 2.0));
  int exponent;
  double fraction = frexp(48.0, &exponent);
  printf("%g * 2^%d, %g, %d %d\n", fraction, exponent, ldexp(0.75, 6), isnan(NAN) != 0, signbit(-0.0) != 0);
  printf("%g %g %g\n", (double)fmaxf(1.5f, -2.0f), fmin(-0.0, 1.0), copysign(3.0, -1.0));
}

int main(void) {
  integers();
  floats();
  parsing();
  mathematics();
  return 0;
}
