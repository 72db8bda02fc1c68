// Runs into the trap that its argument names, a few named calls deep.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int zero = 0;
static volatile int lowest = INT32_MIN;
static volatile double huge = 1e300;

typedef int (*Unary)(int);
typedef double (*Other)(double, double);

__attribute__((noinline)) static int twice(int x) { return 2 * x + zero; }

static volatile Unary pointer = twice;

__attribute__((noinline)) static int innermost(const char *kind) {
  if (strcmp(kind, "unreachable") == 0) {
    __builtin_trap();
  }
  if (strcmp(kind, "divide") == 0) {
    return lowest / zero;
  }
  if (strcmp(kind, "remainder") == 0) {
    return 1 % zero;
  }
  if (strcmp(kind, "overflow") == 0) {
    return lowest / (zero - 1);
  }
  if (strcmp(kind, "load") == 0) {
    return *(volatile int *)(uintptr_t)(0xfffffff0u + (unsigned)zero);
  }
  if (strcmp(kind, "store") == 0) {
    *(volatile int *)(uintptr_t)(0xf0000000u + (unsigned)zero) = 1;
  }
  if (strcmp(kind, "null-call") == 0) {
    pointer = (Unary)(uintptr_t)zero;
    return pointer(1);
  }
  if (strcmp(kind, "wild-call") == 0) {
    pointer = (Unary)(uintptr_t)(zero + 1000000);
    return pointer(1);
  }
  if (strcmp(kind, "signature") == 0) {
    Other other = (Other)(uintptr_t)pointer;
    return (int)other(1.0, 2.0);
  }
  if (strcmp(kind, "abort") == 0) {
    abort();
  }
  printf("no trap called \"%s\", %d\n", kind, pointer(21) + (huge > 1));
  return 3;
}

__attribute__((noinline)) static int middle(const char *kind) {
  int result = innermost(kind);
  return result + zero;
}

__attribute__((noinline)) static int outer(const char *kind) {
  int result = middle(kind);
  return result + zero;
}

int main(int argc, char **argv) {
  puts("before");
  fflush(stdout);
  return outer(argc > 1 ? argv[1] : "none");
}
