/* memchr: the first byte of a value. */
typedef unsigned char u8;
enum { SIZE = 1 << 16 };
static u8 bytes[SIZE + 16];

#ifdef __wasm_simd128__
#include <wasm_simd128.h>
static int find(const u8 *from, int len, u8 byte) {
    v128_t wanted = wasm_i8x16_splat((signed char)byte);
    for (int i = 0; i < len; i += 16) {
        v128_t equal = wasm_i8x16_eq(wasm_v128_load(from + i), wanted);
        if (wasm_v128_any_true(equal)) return i + __builtin_ctz(wasm_i8x16_bitmask(equal));
    }
    return -1;
}
#else
static int find(const u8 *from, int len, u8 byte) {
    for (int i = 0; i < len; i++)
        if (from[i] == byte) return i;
    return -1;
}
#endif

/* The sum of the places of a byte that moves, of so many. */
__attribute__((visibility("default"))) int run(int times) {
    for (int i = 0; i < SIZE; i++) bytes[i] = (u8)(i % 251);
    unsigned result = 0;
    while (times--) {
        int at = SIZE - 1 - times % 1000;
        u8 before = bytes[at];
        bytes[at] = 255;
        result += (unsigned)find(bytes, SIZE, 255);
        bytes[at] = before;
    }
    return (int)result;
}
