__attribute__((weak)) int number = 1;

__attribute__((weak)) int answer(void) {
  return 41;
}

int answer_in_a(void) {
  return answer();
}
