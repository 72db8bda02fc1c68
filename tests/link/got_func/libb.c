// link: -la
int square(int);

int call(int (*function)(int), int x) {
  return function(x);
}

int call_square(int x) {
  return call(square, x);
}
