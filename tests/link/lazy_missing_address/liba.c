void no_such_function(void);

void (*use(void))(void) {
  return no_such_function;
}
