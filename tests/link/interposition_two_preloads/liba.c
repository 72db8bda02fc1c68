__attribute__((weak)) const char *first(void) {
  return "a";
}

__attribute__((weak)) const char *second(void) {
  return "a";
}

__attribute__((weak)) const char *third(void) {
  return "a";
}

const char *third_in_a(void) {
  return third();
}
