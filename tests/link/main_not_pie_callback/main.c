// kind: static
// link: -la
#include <stdio.h>

typedef int (*function)(int);
int apply(function, int);
function library_function(void);
int increment(int);

static int triple(int x) {
  return 3 * x;
}

int main(void) {
  printf("%d\n", apply(triple, 14));
  printf("%d\n", library_function()(41));
  printf("%d\n", library_function() == increment);
  return 0;
}
