/* Data, functions and pointers to both, that another module uses. */
int counter = 40;
static int hidden = 2;
int *const pointer_to_hidden = &hidden;

int add(int n) { return counter += n; }

static int twice(int n) { return 2 * n; }

/* The address of a function of its own. */
int (*doubling(void))(int) { return twice; }

/* Calls what it is given. */
int apply(int (*function)(int), int n) { return function(n); }

/* Defined by whoever loads it. */
extern int triple(int n);
int (*tripling(void))(int) { return triple; }
int weak_or_zero(void) __attribute__((weak));
int is_there(void) { return weak_or_zero ? weak_or_zero() : 0; }

__attribute__((constructor)) static void construct(void) { hidden += 100; }
