__attribute__((weak)) const char *who(void) {
  return "plain";
}

const char *ask(void) {
  return who();
}
