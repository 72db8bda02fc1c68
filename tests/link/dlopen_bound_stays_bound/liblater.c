int who(void) {
  return 2;
}
