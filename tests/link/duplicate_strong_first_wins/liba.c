int number = 1;

const char *who(void) {
  return "a";
}
