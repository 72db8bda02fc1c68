// Recursion: deep but within limits, and without end. No call here uses the
// stack in linear memory, so a run without end exhausts the call stack.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile uint32_t one = 1;

__attribute__((noinline)) static uint32_t ackermann(uint32_t m, uint32_t n) {
  if (m == 0) {
    return n + 1;
  }
  return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

__attribute__((noinline)) static uint64_t sum_to(uint64_t n) {
  return n == 0 ? 0 : n + sum_to(n - one);
}

__attribute__((noinline)) static uint32_t is_even(uint32_t n);

__attribute__((noinline)) static uint32_t is_odd(uint32_t n) {
  return n == 0 ? 0 : is_even(n - one) & one;
}

static uint32_t is_even(uint32_t n) {
  return n == 0 ? 1 : is_odd(n - one) & one;
}

__attribute__((noinline)) static uint64_t endless(uint64_t n) {
  return one == 2 ? n : one + endless(n + one) * 3;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "endless") == 0) {
    puts("going down");
    fflush(stdout);
    printf("%llu\n", (unsigned long long)endless(0));
    return 0;
  }
  uint64_t depth = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
  printf("ackermann(2, 300) = %u\n", ackermann(2, 300));
  printf("ackermann(3, 7) = %u\n", ackermann(3, 7));
  printf("sum to %llu = %llu\n", (unsigned long long)depth, (unsigned long long)sum_to(depth));
  printf("%llu is %s\n", (unsigned long long)depth, is_even((uint32_t)depth) ? "even" : "odd");
  return 0;
}
