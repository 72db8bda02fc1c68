// lld: 22
int calls;

int twice(int x) {
  calls++;
  return 2 * x;
}
