int number = 2;

int answer(void) {
  return 42;
}
