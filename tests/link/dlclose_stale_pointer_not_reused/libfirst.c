static int own(void) {
  return 1;
}

int (*pointer(void))(void) {
  return own;
}
