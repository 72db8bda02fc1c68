int numbers[4] = {1, 2, 3, 4};
int *last = &numbers[3], *first = &numbers[0];
