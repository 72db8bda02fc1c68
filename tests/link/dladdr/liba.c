int a_data[4];

int of_a(void) {
  return a_data[0];
}
