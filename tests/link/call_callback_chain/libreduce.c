// link: -lmap
void map(int *, int, int (*)(int, void *), void *);

static int step(int x, void *data) {
  struct {
    int sum, (*function)(int, int);
  } *state = data;
  state->sum = state->function(state->sum, x);
  return x;
}

int reduce(int *numbers, int count, int (*function)(int, int), void (*seen)(int (*)(int, int))) {
  struct {
    int sum, (*function)(int, int);
  } state = {0, function};
  seen(function);
  map(numbers, count, step, &state);
  return state.sum;
}
