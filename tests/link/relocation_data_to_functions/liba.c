struct operation {
  const char *name;
  int (*run)(int, int);
};

static int add(int a, int b) {
  return a + b;
}

int subtract(int a, int b) {
  return a - b;
}

int power(int, int);

const struct operation operations[3] = {{"add", add}, {"subtract", subtract}, {"power", power}};
