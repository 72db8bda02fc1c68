// Integer arithmetic of all widths: bit counts, rotations, shifts, division
// towards zero, wrapping, widening multiplication, 128-bit products, saturating
// conversions. The result is a hash over millions of operations, plus a few
// values to look at.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

static uint64_t state = 88172645463325252u;

static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static uint64_t hash = 14695981039346656037u;

static void mix(uint64_t value) {
  hash = (hash ^ value) * 1099511628211u;
}

static uint32_t rotate32(uint32_t x, unsigned n) { return (x << (n & 31)) | (x >> (-n & 31)); }
static uint64_t rotate64(uint64_t x, unsigned n) { return (x << (n & 63)) | (x >> (-n & 63)); }

static int32_t to_i32(double value) {
  if (value != value) return 0;
  if (value >= 2147483648.0) return INT32_MAX;
  if (value < -2147483648.0) return INT32_MIN;
  return (int32_t)value;
}

int main(void) {
  for (int i = 0; i < 300000; i++) {
    uint64_t a = next(), b = next();
    uint32_t c = (uint32_t)a, d = (uint32_t)(b >> 32);
    mix((uint64_t)__builtin_popcountll(a) + (uint64_t)__builtin_popcount(d));
    mix((uint64_t)__builtin_clzll(a | 1) * 64 + (uint64_t)__builtin_ctzll(b | UINT64_C(1) << 63));
    mix((uint64_t)__builtin_clz(c | 1) * 32 + (uint64_t)__builtin_ctz(d | 1u << 31));
    mix(rotate32(c, d) + rotate64(a, (unsigned)b));
    mix(a / (b | 1) + a % (b | 1));
    mix((uint64_t)((int64_t)a / (int64_t)(b >> 1 | 1)) + (uint64_t)((int64_t)a % (int64_t)(b >> 40 | 1)));
    mix((uint32_t)((int32_t)c / (int32_t)(d >> 1 | 1)) + c % (d | 1));
    mix((uint64_t)((int64_t)a >> (b & 63)) + (a >> (b & 63)) + (a << (b & 63)));
    mix((uint32_t)((int32_t)c >> (d & 31)) + (c >> (d & 31)) + (c << (d & 31)));
    mix((uint64_t)((unsigned __int128)a * b >> 64));
    mix((uint64_t)(int64_t)(int8_t)a + (uint64_t)(int64_t)(int16_t)b + (uint64_t)(int64_t)(int32_t)d);
    mix((uint64_t)((int64_t)a < (int64_t)b) + (a < b) + ((int32_t)c < (int32_t)d) + (c < d));
    mix((uint64_t)(uint32_t)to_i32((double)(int64_t)a / 3e9) + (uint64_t)((double)b * 0.5));
    mix((uint64_t)(int64_t)((float)(int32_t)c * 0.25f) + (uint64_t)(float)(d >> 3));
  }
  printf("hash %016" PRIx64 "\n", hash);
  printf("%" PRId64 " %" PRId64 " %d\n", INT64_MIN / 3, INT64_MIN % 7, INT32_MIN / 5);
  printf("%" PRIx64 " %x\n", rotate64(0x8000000000000001u, 4), rotate32(0x80000001u, 35));
  return 0;
}
