/* Dot products of floats, summed in any order. */
enum { SIZE = 4096 };
static float a[SIZE], b[SIZE];

static float dot(void) {
    float sum = 0;
    for (int i = 0; i < SIZE; i++) {
#pragma clang fp reassociate(on)
        sum += a[i] * b[i];
    }
    return sum;
}

/* The sum of so many; all are small whole numbers, so that no order rounds. */
__attribute__((visibility("default"))) int run(int times) {
    for (int i = 0; i < SIZE; i++) {
        a[i] = (float)(i % 13 - 6);
        b[i] = (float)(i % 7 - 2);
    }
    int result = 0;
    while (times--) {
        result += (int)dot();
        a[times % SIZE] = (float)(times % 5);
    }
    return result;
}
