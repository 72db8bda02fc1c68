// link: -lshared
extern int shared_data;

int next(void) {
  static int value = 10;
  return ++value;
}

int *shared(void) {
  return &shared_data;
}
