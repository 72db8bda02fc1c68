// A function that traps, inlined in one that is called by a third.

static inline __attribute__((always_inline)) int quotient(int sum, int count) {
    return sum / count;
}

__attribute__((noinline)) int mean(const int *numbers, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += numbers[i];
    return quotient(sum, count);
}

__attribute__((export_name("run"))) int run(int count) {
    static const int numbers[] = {3, 4, 5};
    return mean(numbers, count) + 1;
}
