// name: older/liba.so
int convert(int value, int unit) {
  return value * unit;
}
