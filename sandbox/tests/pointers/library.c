/* A library that works on data of whoever calls it: it has a memory of its own, and
 * gets at its caller's by accessors. Addresses in it are numbers here. */
#include <orca.h>

/* Sorts `count` things of `size` bytes each, as qsort does. */
__attribute__((export_name("sort"))) void sort(uint32_t base, uint32_t count, uint32_t size,
                                               int (*compare)(uint32_t, uint32_t)) {
  static char one[256], other[256];
  if (size > sizeof one) __builtin_trap();
  for (uint32_t end = count; end > 1; end--) {
    uint32_t last = base;
    for (uint32_t i = 1; i < end; i++)
      if (compare(base + i * size, last) >= 0) last = base + i * size;
    uint32_t to = base + (end - 1) * size;
    if (last == to) continue;
    orca_copy_from(ORCA_PARENT, last, one, size);
    orca_copy_from(ORCA_PARENT, to, other, size);
    orca_copy_to(ORCA_PARENT, to, one, size);
    orca_copy_to(ORCA_PARENT, last, other, size);
  }
}

/* Calls `visit` for each word of a text, with the word in capitals and in this memory;
 * the sum of what it gives. */
__attribute__((export_name("words"))) int words(uint32_t text, int (*visit)(const char *, uint32_t)) {
  static char word[64];
  uint32_t length = 0;
  int sum = 0;
  for (;; text++) {
    uint32_t letter = orca_load8(ORCA_PARENT, text);
    if (letter >= 'a' && letter <= 'z') letter -= 'a' - 'A';
    if (letter >= 'A' && letter <= 'Z' && length < sizeof word) {
      word[length++] = (char)letter;
      continue;
    }
    if (length) sum += visit(word, length);
    length = 0;
    if (!letter) return sum;
  }
}

static int longer(uint32_t one, uint32_t other) {
  return orca_text_length(ORCA_PARENT, one, 64) - orca_text_length(ORCA_PARENT, other, 64);
}

/* How to compare two texts by their lengths. */
__attribute__((export_name("by_length"))) int (*by_length(void))(uint32_t, uint32_t) { return longer; }
