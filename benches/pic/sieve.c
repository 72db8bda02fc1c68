/* Eratosthenes' sieve in a static array: addresses relative to __memory_base in
   the innermost loop. */
typedef unsigned char u8;
enum { SIZE = 1 << 20 };
static u8 composite[SIZE];

__attribute__((visibility("default"))) int run(int times) {
    int count = 0;
    while (times--) {
        __builtin_memset(composite, 0, sizeof composite);
        count = 0;
        for (int i = 2; i < SIZE; i++) {
            if (composite[i]) continue;
            count++;
            for (long long j = (long long)i * i; j < SIZE; j += i) composite[j] = 1;
        }
    }
    return count;
}
