// link: -ldata
#include "say.h"

extern char __stack_low[], __stack_high[], __heap_base[], __heap_end[];
extern char library_data[5000];
char own_data[5000];

// The compiler is not to conclude anything from these being arrays.
static unsigned address(const void *pointer) {
  __asm__("" : "+r"(pointer));
  return (unsigned)pointer;
}

static int is_outside(const char *data, unsigned size) {
  unsigned start = address(data), end = start + size;
  return (end <= address(__stack_low) || start >= address(__stack_high)) &&
         (end <= address(__heap_base) || start >= address(__heap_end));
}

int main(void) {
  char here;
  unsigned size = __builtin_wasm_memory_size(0) << 16;
  say("%d\n", address(__stack_low) < address(&here) && address(&here) < address(__stack_high));
  say("%d %d\n", address(__stack_high) <= address(__heap_base), address(__heap_base) <= address(__heap_end));
  say("%d\n", address(__heap_end) <= size);
  say("%d %d\n", is_outside(own_data, sizeof own_data), is_outside(library_data, sizeof library_data));
  say("%d\n", (address(__heap_base) & 15) == 0);
  return 0;
}
