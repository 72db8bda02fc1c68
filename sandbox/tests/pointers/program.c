/* A program that was written for a library in the same memory: it passes pointers to
 * its data and to its functions. The library has a memory of its own all the same. */
#include <orca.h>

#define LIBRARY(name) __attribute__((import_module("library"), import_name(name)))

typedef int (*comparison)(const void *, const void *);

LIBRARY("sort") void sort(void *base, uint32_t count, uint32_t size, comparison);
LIBRARY("words") int words(const char *text, int (*visit)(const char *, uint32_t));
LIBRARY("by_length") comparison by_length(void);

struct entry {
  int key;
  char name[12];
};

static struct entry entries[] = {{30, "orca"}, {10, "narwhal"}, {50, "seal"}, {20, "a"}, {40, "beluga"}};
static const uint32_t count = sizeof entries / sizeof *entries;
static int compared;

static int by_key(const void *one, const void *other) {
  compared++;
  return ((const struct entry *)one)->key - ((const struct entry *)other)->key;
}

static int by_name_length(const void *one, const void *other) {
  /* A function of the library's, that is passed back to it by way of this one. */
  return by_length()(((const struct entry *)one)->name, ((const struct entry *)other)->name);
}

/* The keys in order as digits, after sorting with one of this module's functions. */
__attribute__((export_name("keys"))) int keys(void) {
  sort(entries, count, sizeof *entries, by_key);
  int digits = 0;
  for (uint32_t i = 0; i < count; i++) digits = digits * 10 + entries[i].key / 10;
  return digits;
}

__attribute__((export_name("comparisons"))) int comparisons(void) { return compared; }

/* The same by the lengths of the names. */
__attribute__((export_name("lengths"))) int lengths(void) {
  sort(entries, count, sizeof *entries, by_name_length);
  int digits = 0;
  for (uint32_t i = 0; i < count; i++) digits = digits * 10 + entries[i].key / 10;
  return digits;
}

/* Texts sorted by a function of the library's: it does not come here at all. */
__attribute__((export_name("texts"))) int texts(void) {
  static char names[3][4] = {"abc", "a", "ab"};
  sort(names, 3, 4, by_length());
  return names[0][1] == 0 && names[1][2] == 0 && names[2][2] == 'c';
}

static orca_child library;
static char letters[256];
static uint32_t seen;

/* The word is in the library's memory. */
static int visit(const char *word, uint32_t length) {
  orca_copy_from(library, (uint32_t)(uintptr_t)word, letters + seen, length);
  seen += length;
  letters[seen++] = ' ';
  return (int)length;
}

/* The words of a text, and where they are in capitals. */
__attribute__((export_name("capitals"))) int capitals(orca_child child) {
  library = child;
  seen = 0;
  return words("one memory, and another!", visit);
}

__attribute__((export_name("letters"))) const char *the_letters(void) { return letters; }
