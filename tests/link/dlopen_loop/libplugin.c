// link: -lother
int of_other(int);
static int calls;

static int first(int x) {
  return of_other(x) + calls++;
}

static int second(int x) {
  return of_other(-x) + calls++;
}

int (*const functions[])(int) = {first, second};
