int of_local(void) {
  return 2;
}
