// link: -lodd
int is_odd(unsigned);

int is_even(unsigned n) {
  return n ? is_odd(n - 1) : 1;
}
