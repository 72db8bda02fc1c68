__attribute__((weak)) const char *who(void) {
  return "a";
}
