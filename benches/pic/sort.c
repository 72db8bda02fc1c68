/* Quicksort that compares through function pointers from a static table, which
   the linker relocates by __table_base: calls, indirect calls, recursion. */
typedef unsigned u32;
enum { SIZE = 2000 };
static u32 numbers[SIZE];

static int ascending(u32 a, u32 b) { return a < b; }
static int descending(u32 a, u32 b) { return a > b; }
static int by_low_bits(u32 a, u32 b) { return (a & 0xffff) != (b & 0xffff) ? (a & 0xffff) < (b & 0xffff) : a < b; }
static int (*const orders[])(u32, u32) = {ascending, descending, by_low_bits};

__attribute__((noinline)) static void sort(int low, int high, int (*before)(u32, u32)) {
    while (low < high) {
        u32 pivot = numbers[(low + high) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (before(numbers[i], pivot)) i++;
            while (before(pivot, numbers[j])) j--;
            if (i <= j) { u32 n = numbers[i]; numbers[i++] = numbers[j]; numbers[j--] = n; }
        }
        sort(low, j, before);
        low = i;
    }
}

__attribute__((visibility("default"))) int run(int times) {
    u32 state = 2463534242u, sum = 0;
    for (int t = 0; t < times; t++) {
        int (*before)(u32, u32) = orders[t % 3];
        for (int i = 0; i < SIZE; i++) {
            state ^= state << 13; state ^= state >> 17; state ^= state << 5;
            numbers[i] = state;
        }
        sort(0, SIZE - 1, before);
        for (int i = 1; i < SIZE; i++) if (before(numbers[i], numbers[i - 1])) return -1;
        sum = sum * 31 + numbers[SIZE / 2];
    }
    return (int)sum;
}
