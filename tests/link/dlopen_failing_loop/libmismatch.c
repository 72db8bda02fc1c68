int of_main(int);
static int data[10000];

int use(int x) {
  return of_main(data[x]);
}
