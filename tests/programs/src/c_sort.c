// Calls through function pointers: qsort and bsearch with several orders, and a
// small bytecode interpreter whose operations stand in a table.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  char name[12];
  int32_t key;
  double weight;
} Item;

static int by_key(const void *a, const void *b) {
  int32_t x = ((const Item *)a)->key, y = ((const Item *)b)->key;
  return (x > y) - (x < y);
}

static int by_weight(const void *a, const void *b) {
  double x = ((const Item *)a)->weight, y = ((const Item *)b)->weight;
  return (x < y) - (x > y);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const Item *)a)->name, ((const Item *)b)->name);
}

static void sorting(void) {
  enum { COUNT = 5000 };
  static Item items[COUNT];
  uint32_t random = 1;
  for (int i = 0; i < COUNT; i++) {
    random = random * 1103515245u + 12345u;
    items[i].key = (int32_t)random;
    items[i].weight = (double)(random >> 5) / 1e3;
    snprintf(items[i].name, sizeof items[i].name, "n%u", random % 100000);
  }
  static int (*const orders[])(const void *, const void *) = {by_key, by_weight, by_name};
  for (size_t order = 0; order < 3; order++) {
    qsort(items, COUNT, sizeof *items, orders[order]);
    int sorted = 1;
    for (int i = 1; i < COUNT; i++) {
      sorted &= orders[order](&items[i - 1], &items[i]) <= 0;
    }
    printf("order %zu: %s, first %s %d, last %s %d\n", order, sorted ? "sorted" : "NOT SORTED", items[0].name,
           (int)items[0].key, items[COUNT - 1].name, (int)items[COUNT - 1].key);
  }
  const Item *found = bsearch(&items[1234], items, COUNT, sizeof *items, by_name);
  printf("found: %s\n", found != NULL && strcmp(found->name, items[1234].name) == 0 ? "yes" : "no");
}

typedef struct {
  int64_t stack[16];
  int top;
  int at;
} Machine;

typedef void (*Operation)(Machine *, int64_t);

static void push(Machine *m, int64_t value) { m->stack[m->top++] = value; }
static void add(Machine *m, int64_t unused) { (void)unused; m->top--; m->stack[m->top - 1] += m->stack[m->top]; }
static void multiply(Machine *m, int64_t unused) { (void)unused; m->top--; m->stack[m->top - 1] *= m->stack[m->top]; }
static void duplicate(Machine *m, int64_t depth) { m->stack[m->top] = m->stack[m->top - 1 - depth]; m->top++; }
static void store(Machine *m, int64_t depth) { m->top--; m->stack[m->top - 1 - depth] = m->stack[m->top]; }
static void jump_unless_zero(Machine *m, int64_t target) { if (m->stack[--m->top] != 0) { m->at = (int)target; } }
static void stop(Machine *m, int64_t unused) { (void)unused; m->at = -1; }

static void interpreting(void) {
  static const struct {
    Operation operation;
    int64_t operand;
  } program[] = {
      // stack: sum, i; sum += i * i; i -= 1; until i is 0
      {push, 0},      {push, 100000}, {duplicate, 0}, {duplicate, 0}, {multiply, 0},         {duplicate, 2}, {add, 0},
      {store, 1},     {push, -1},     {add, 0},       {duplicate, 0}, {jump_unless_zero, 2}, {stop, 0},
  };
  Machine machine = {0};
  uint64_t steps = 0;
  while (machine.at >= 0) {
    int at = machine.at++;
    program[at].operation(&machine, program[at].operand);
    steps++;
  }
  printf("sum of squares %lld after %llu steps\n", (long long)machine.stack[0], (unsigned long long)steps);
}

int main(void) {
  sorting();
  interpreting();
  return 0;
}
