/* Eratosthenes' sieve in a static array: addresses relative to __memory_base in
   the innermost loop. */
typedef unsigned char u8;
enum { SIZE = 1 << 20 };
static u8 composite[SIZE];

/* Primes below size, counted eight times. */
__attribute__((visibility("default"))) int run(int size) {
    int count = 0;
    for (int times = 8; times--;) {
        count = 0;
        __builtin_memset(composite, 0, sizeof composite);
        for (int i = 2; i < size; i++) {
            if (composite[i]) continue;
            count++;
            for (long long j = (long long)i * i; j < size; j += i) composite[j] = 1;
        }
    }
    return count;
}
