static int buffer[5000];

int of_other(int x) {
  buffer[4999] += x;
  return buffer[4999];
}
