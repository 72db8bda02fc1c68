// cc: -fno-rtti
struct Counter {
  int value = 0;
  virtual int add(int);
  int twice(int);
};

int Counter::add(int x) { return value += x; }
int Counter::twice(int x) { return value += 2 * x; }

int call(Counter &counter, int (Counter::*function)(int), int x) { return (counter.*function)(x); }
