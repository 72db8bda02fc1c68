static int helper(void) {
  return 1;
}

int (*a_helper(void))(void) {
  return helper;
}
