/* The spectral norm of an infinite matrix, as the Benchmarks Game has it:
   division and addition of f64, conversions, two nested loops. */
#include "guest.h"
#include <math.h>

static double element(int i, int j) {
    return 1.0 / (double)((i + j) * (i + j + 1) / 2 + i + 1);
}

__attribute__((noinline)) static void times(int n, const double *v, double *out) {
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++) sum += element(i, j) * v[j];
        out[i] = sum;
    }
}

__attribute__((noinline)) static void times_transposed(int n, const double *v, double *out) {
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++) sum += element(j, i) * v[j];
        out[i] = sum;
    }
}

int main(int argc, char **argv) {
    int n = size_argument(argc, argv, 1000);
    double *u = malloc(sizeof *u * n), *v = malloc(sizeof *v * n), *w = malloc(sizeof *w * n);
    for (int i = 0; i < n; i++) u[i] = 1;
    for (int i = 0; i < 10; i++) {
        times(n, u, w);
        times_transposed(n, w, v);
        times(n, v, w);
        times_transposed(n, w, u);
    }
    double uv = 0, vv = 0;
    for (int i = 0; i < n; i++) { uv += u[i] * v[i]; vv += v[i] * v[i]; }
    print_number((uint64_t)(sqrt(uv / vv) * 1e12));
    return 0;
}
