static int add(int x) {
  return x + 1;
}

static int subtract(int x) {
  return x - 1;
}

int (*const functions[])(int) = {add, subtract};
