/* Uses a library's data and functions, and is used by it. */
extern int counter;
extern int *const pointer_to_hidden;
extern int add(int n);
extern int (*doubling(void))(int);
extern int apply(int (*function)(int), int n);
extern int (*tripling(void))(int);
extern int is_there(void);

int triple(int n) { return 3 * n; }

static int order;
__attribute__((constructor)) static void construct(void) { order = *pointer_to_hidden; }

/* The bits of the answer say what held. */
int run(void) {
  int held = 0;
  if (counter == 40 && add(2) == 42 && counter == 42) held |= 1;
  if (*pointer_to_hidden == 102) held |= 2;
  if (apply(triple, 5) == 15) held |= 4;
  if (doubling()(21) == 42 && apply(doubling(), 4) == 8) held |= 8;
  /* One function has one address, whoever takes it. */
  if (tripling() == triple && tripling() != doubling()) held |= 16;
  if (is_there() == 0) held |= 32;
  /* The library's constructors have run first. */
  if (order == 102) held |= 64;
  return held;
}
