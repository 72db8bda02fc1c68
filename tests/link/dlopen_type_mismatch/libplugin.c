int of_main(int);

int use(void) {
  return of_main(1);
}
