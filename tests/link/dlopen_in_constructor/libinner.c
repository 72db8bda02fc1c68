int value(void) {
  return 18;
}
