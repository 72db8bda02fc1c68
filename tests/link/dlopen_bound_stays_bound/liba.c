__attribute__((weak)) int who(void) {
  return 1;
}

int who_in_a(void) {
  return who();
}
