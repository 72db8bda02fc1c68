// link: -la
#include "say.h"

struct one {
  int value;
};
struct pair {
  int first, second;
};
struct large {
  int values[20];
};
struct one increment(struct one);
struct pair swap(struct pair);
struct large reverse(struct large);
extern struct pair (*swapper)(struct pair);

int main(void) {
  struct one one = increment((struct one){4});
  struct pair pair = swap((struct pair){1, 2}), again = swapper(pair);
  struct large large;
  for (int i = 0; i < 20; i++) large.values[i] = i;
  struct large reversed = reverse(large);
  say("%d, %d %d, %d %d, %d %d\n", one.value, pair.first, pair.second, again.first, again.second,
      reversed.values[0], reversed.values[19]);
  return 0;
}
