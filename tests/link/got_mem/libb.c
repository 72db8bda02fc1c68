// link: -la
extern int number;

void set(int x) {
  number = x;
}

int get(void) {
  return number;
}
