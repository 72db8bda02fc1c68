static volatile int data = 30;

int call(int (*callback)(void)) {
  int failed = callback();
  return failed ? -1 : ++data;
}
