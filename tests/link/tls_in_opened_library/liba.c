static _Thread_local int state = 100;

int next(void) {
  return ++state;
}
