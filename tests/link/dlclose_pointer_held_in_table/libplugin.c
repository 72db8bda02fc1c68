// link: -lregistry
void enroll(int (*)(int));

static int own(int x) {
  return x + 1;
}

__attribute__((constructor)) static void construct(void) {
  enroll(own);
}
