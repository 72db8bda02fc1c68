static int own(void) {
  return 2;
}

int (*pointer(void))(void) {
  return own;
}
