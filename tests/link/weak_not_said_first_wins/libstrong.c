int what = 2;

const char *who(void) {
  return "strong";
}
