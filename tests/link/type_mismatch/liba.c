double convert(double value, long long unit) {
  return value * unit;
}
