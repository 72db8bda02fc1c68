int number = 2;

const char *who(void) {
  return "b";
}

const char *who_in_b(void) {
  const char *(*volatile function)(void) = who;
  return function();
}

__attribute__((noinline)) const char *called_in_b(void) {
  return who();
}

int number_in_b(void) {
  return number;
}
