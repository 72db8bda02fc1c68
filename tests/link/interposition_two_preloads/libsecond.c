const char *first(void) {
  return "second";
}

const char *second(void) {
  return "second";
}
