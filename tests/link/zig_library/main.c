// link: -lstats --export=each_value
#include "say.h"

struct summary {
  int least, most;
  long long sum;
};
struct summary summarize(const int *values, size_t count);
void visit(const int *values, size_t count, void (*callback)(int));
extern unsigned zig_calls;
extern const char *zig_name;

int each_value(int value) {
  return value * 2;
}

static void show(int value) {
  say("%d ", value);
}

int main(void) {
  int values[] = {5, -3, 8};
  struct summary summary = summarize(values, 3);
  say("%d %d %d\n", summary.least, summary.most, (int)summary.sum);
  visit(values, 3, show);
  say("\n%u calls of %s\n", zig_calls, zig_name);
  return 0;
}
