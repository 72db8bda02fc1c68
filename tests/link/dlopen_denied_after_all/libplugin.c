int of_plugin(void) {
  return 1;
}
