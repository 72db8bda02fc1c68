void map(int *numbers, int count, int (*function)(int, void *), void *data) {
  for (int i = 0; i < count; i++) numbers[i] = function(numbers[i], data);
}
