int call(int (*function)(void)) {
  return function();
}
