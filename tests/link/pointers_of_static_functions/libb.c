static int helper(void) {
  return 2;
}

int (*b_helper(void))(void) {
  return helper;
}
