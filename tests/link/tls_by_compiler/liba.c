_Thread_local int visible;
static _Thread_local int hidden = 5;

int next(void) {
  return ++visible + ++hidden;
}
