void register_plugin(const char *, int (*)(int));

static int run(int x) {
  return 2 * x;
}

__attribute__((constructor)) static void construct(void) {
  register_plugin("double", run);
}
