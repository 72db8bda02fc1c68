int missing_in_both(int);

int b(int x) {
  return missing_in_both(x);
}
