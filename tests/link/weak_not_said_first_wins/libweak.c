__attribute__((weak)) int what = 1;

__attribute__((weak)) const char *who(void) {
  return "weak";
}

const char *who_in_weak(void) {
  return who();
}
