int of_main(void);

int use(void) {
  return of_main();
}
