__attribute__((weak)) const char *who(void) {
  return "b";
}

const char *who_in_b(void) {
  return who();
}
