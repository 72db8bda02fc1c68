static int own(int x) {
  return x;
}

int (*pointers[100])(int) = {own};

__attribute__((constructor)) static void construct(void) {
  if (pointers[0]) __builtin_trap();
}
