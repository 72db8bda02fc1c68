typedef int (*function)(int);

int apply(function f, int x) {
  return f(x);
}

int increment(int x) {
  return x + 1;
}

function library_function(void) {
  return increment;
}
