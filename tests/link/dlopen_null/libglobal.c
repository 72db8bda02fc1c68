int of_global(void) {
  return 3;
}
