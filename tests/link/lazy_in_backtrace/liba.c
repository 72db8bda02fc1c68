int fail(int x) {
  if (x) __builtin_trap();
  return 1;
}
