void nowhere(void);

void (*take(void))(void) {
  return nowhere;
}
