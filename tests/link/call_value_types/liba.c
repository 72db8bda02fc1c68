long long wide(int a, long long b, unsigned char c) {
  return a + 2 * b + c;
}

long long (*wide_pointer)(int, long long, unsigned char) = wide;

float narrow(float a, double b) {
  return a * (float)b;
}

double many(int a, long long b, float c, double d, int e, long long f, float g, double h, int i, long long j, float k,
            double l) {
  return a + 2 * (b + 2 * (c + 2 * (d + 2 * (e + 2 * (f + 2 * (g + 2 * (h + 2 * (i + 2 * (j + 2 * (k + 2 * l))))))))));
}

signed char negative(void) {
  return -3;
}
