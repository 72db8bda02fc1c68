static int (*registered)(int);

void enroll(int (*function)(int)) {
  registered = function;
}

int run(int x) {
  return registered(x);
}
