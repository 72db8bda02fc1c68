struct one {
  int value;
};
struct pair {
  int first, second;
};
struct large {
  int values[20];
};

struct one increment(struct one one) {
  one.value++;
  return one;
}

struct pair swap(struct pair pair) {
  return (struct pair){pair.second, pair.first};
}

struct pair (*swapper)(struct pair) = swap;

struct large reverse(struct large large) {
  struct large reversed;
  for (int i = 0; i < 20; i++) reversed.values[i] = large.values[19 - i];
  return reversed;
}
