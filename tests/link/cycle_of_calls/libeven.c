// link: -lodd
int is_odd(unsigned);
extern int odd_calls;
int even_calls;

int is_even(unsigned n) {
  odd_calls += 1000;
  return n ? is_odd(n - 1) : 1;
}
