int of_provider(void) {
  return 9;
}
