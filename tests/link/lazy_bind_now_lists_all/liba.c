int missing_in_both(int), missing_in_a(int);

int a(int x) {
  return x ? missing_in_both(x) + missing_in_a(x) : 0;
}
