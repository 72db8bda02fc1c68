int of_provider(void);

int use(void) {
  return of_provider() + 1;
}
