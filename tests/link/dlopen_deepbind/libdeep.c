__attribute__((weak)) const char *who(void) {
  return "deep";
}

const char *ask(void) {
  return who();
}
