// name: sub/deeper/libinner.so
int inner(void) {
  return 5;
}
