static int own(void) {
  return 12;
}

int (*pointer(void))(void) {
  return own;
}
