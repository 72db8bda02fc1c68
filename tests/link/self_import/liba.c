__attribute__((weak)) int multiply(int a, int b) {
  return a * b;
}

__attribute__((weak)) int factorial(int n) {
  return n ? multiply(n, factorial(n - 1)) : 1;
}

int (*address_of_factorial(void))(int) {
  return factorial;
}
