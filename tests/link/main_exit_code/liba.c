int code(void) {
  return 42;
}
