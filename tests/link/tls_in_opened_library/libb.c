static _Thread_local int state = 200;

int next(void) {
  return ++state;
}
