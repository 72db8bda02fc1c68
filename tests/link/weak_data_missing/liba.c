extern int missing __attribute__((weak));
int there = 3;

int *has_missing(void) {
  return &missing;
}
