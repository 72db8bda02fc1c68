/* A program that opens the library itself, with orca.h alone. */
#include <orca.h>

static int pairs[3][2];

static int compare(const void *one, const void *other) { return *(const int *)one - *(const int *)other; }

static int failing(const void *one, const void *other) {
  (void)one, (void)other;
  __builtin_trap();
}

/* 0, or the line where something was not as it should be. */
#define CHECK(what) \
  if (!(what)) return __LINE__

__attribute__((export_name("run"))) int run(void) {
  static const int at_first[3][2] = {{3, 30}, {1, 10}, {2, 20}};
  for (int i = 0; i < 3; i++) pairs[i][0] = at_first[i][0], pairs[i][1] = at_first[i][1];
  orca_module module = orca_load_path("/library.wasm");
  CHECK(module >= 0);
  orca_child library = orca_create(module, "");
  CHECK(library >= 0 && orca_start(library) == 0 && orca_unload(module) == 0);
  CHECK(orca_lend(library, pairs, sizeof pairs, ORCA_READ_WRITE) == 0);

  /* As a function pointer of this module's. */
  void (*sort)(void *, uint32_t, uint32_t, int (*)(const void *, const void *)) =
      orca_symbol(library, "sort", "iii*(ii:i):");
  CHECK(sort);
  sort(pairs, 3, sizeof *pairs, compare);
  CHECK(pairs[0][1] == 10 && pairs[1][1] == 20 && pairs[2][1] == 30);

  /* As a call with values. */
  orca_function by_number = orca_find(library, "sort");
  CHECK(by_number >= 0 && orca_declare(library, by_number, "iii*(ii:i):") == 0);
  pairs[0][0] = 4;
  orca_value values[] = {{.i32 = (int32_t)(uintptr_t)pairs},
                         {.i32 = 3},
                         {.i32 = sizeof *pairs},
                         {.i32 = (int32_t)(uintptr_t)compare}};
  CHECK(orca_call(library, by_number, values, 0) == 0);
  CHECK(pairs[0][1] == 20 && pairs[1][1] == 30 && pairs[2][1] == 10);

  /* Pointers that go and come back. */
  int32_t there = orca_pass(library, compare, "ii:i");
  CHECK(there > 0 && orca_pass(library, compare, "ii:i") == there);
  CHECK(orca_take(library, (uint32_t)there, "ii:i") == (void *)compare);
  CHECK(orca_withdraw(library, (uint32_t)there) == 0 && orca_withdraw(library, (uint32_t)there) == -ORCA_EINVAL);
  CHECK(orca_pass(library, failing, "i:i") == -ORCA_EINVAL);

  /* What is not lent is not found. */
  CHECK(orca_reclaim(library, pairs) == 0);
  CHECK(orca_call(library, orca_find(library, "words"), values, &values[0]) == ORCA_TRAPPED);
  CHECK(orca_size(library, 0) > 0 && orca_text_length(ORCA_PARENT, 0, 1) == -ORCA_EBADF);
  CHECK(orca_release(sort) == 0 && orca_release(sort) == -ORCA_EINVAL);
  CHECK(orca_drop(library) == 0);
  return 0;
}
