// link: -la -lb --export=of_main
#include "say.h"

typedef void (*function)(void);
void of_a(void), of_b(void);
function a_takes(int), b_takes(int);
extern const function in_data_of_a[3];

void of_main(void) {
}

static const function in_data[] = {of_main, of_a, of_b};

int main(void) {
  function taken[] = {of_main, of_a, of_b};
  for (int i = 0; i < 3; i++)
    say("%d %d %d %d\n", taken[i] == a_takes(i), taken[i] == b_takes(i), taken[i] == in_data_of_a[i],
        taken[i] == in_data[i]);
  say("%d %d\n", of_main != of_a, of_a != of_b);
  return 0;
}
