int divide(int, int);

__attribute__((noinline)) static int inner(int x) {
  return divide(1, x) + 1;
}

int outer(int x) {
  return inner(x) + 1;
}
