static int (*volatile pointer)(int);

static int increment(int x) {
  return x + 1;
}

int good(int x) {
  pointer = increment;
  return pointer(x);
}
