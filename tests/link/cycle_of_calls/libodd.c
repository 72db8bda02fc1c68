// link: -leven
int is_even(unsigned);
extern int even_calls;
int odd_calls;

int is_odd(unsigned n) {
  odd_calls++;
  even_calls++;
  return n ? is_even(n - 1) : 0;
}
