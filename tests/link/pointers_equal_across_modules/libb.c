// link: -la
typedef void (*function)(void);
void of_main(void), of_a(void);

void of_b(void) {
}

function b_takes(int which) {
  return which == 0 ? of_main : which == 1 ? of_a : of_b;
}
