// link: -leven
int is_even(unsigned);

int is_odd(unsigned n) {
  return n ? is_even(n - 1) : 0;
}
