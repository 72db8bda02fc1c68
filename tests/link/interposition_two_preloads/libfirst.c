const char *first(void) {
  return "first";
}

const char *third(void) {
  return "first";
}
