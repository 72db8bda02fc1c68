// Counts the words of the files named as arguments, or of the standard input,
// and prints totals and the most frequent words.
//
//   orcavm wordcount.wasm < README.md
//   orcavm --dir .::. wordcount.wasm -n 5 README.md CHANGELOG.md
//
// A word is a run of ASCII letters, digits and bytes above 127 (so that UTF-8
// letters count); letters are compared in lower case.

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORD 256

typedef struct {
  char *text; // NULL in an empty slot
  uint32_t hash;
  uint64_t count;
} Entry;

// An open-addressing hash table; its capacity is a power of two.
typedef struct {
  Entry *slots;
  size_t capacity;
  size_t used;
} Table;

typedef struct {
  uint64_t bytes, lines, words;
} Totals;

static void *must(void *memory) {
  if (memory == NULL) {
    fputs("wordcount: out of memory\n", stderr);
    exit(2);
  }
  return memory;
}

static uint32_t hash_of(const char *word) {
  uint32_t hash = 2166136261u; // FNV-1a
  for (; *word != 0; word++) {
    hash = (hash ^ (unsigned char)*word) * 16777619u;
  }
  return hash;
}

static Entry *find(const Table *table, const char *word, uint32_t hash) {
  size_t at = hash & (table->capacity - 1);
  for (;;) {
    Entry *entry = &table->slots[at];
    if (entry->text == NULL || (entry->hash == hash && strcmp(entry->text, word) == 0)) {
      return entry;
    }
    at = (at + 1) & (table->capacity - 1);
  }
}

static void grow(Table *table) {
  Table larger = {.capacity = table->capacity == 0 ? 1024 : table->capacity * 2};
  larger.slots = must(calloc(larger.capacity, sizeof(Entry)));
  for (size_t i = 0; i < table->capacity; i++) {
    if (table->slots[i].text != NULL) {
      *find(&larger, table->slots[i].text, table->slots[i].hash) = table->slots[i];
      larger.used++;
    }
  }
  free(table->slots);
  *table = larger;
}

static void count_word(Table *table, const char *word) {
  if (table->used * 2 >= table->capacity) {
    grow(table);
  }
  uint32_t hash = hash_of(word);
  Entry *entry = find(table, word, hash);
  if (entry->text == NULL) {
    *entry = (Entry){.text = must(strdup(word)), .hash = hash};
    table->used++;
  }
  entry->count++;
}

static bool is_word_byte(int byte) {
  return byte >= 128 || isalnum(byte);
}

static void count_file(Table *table, Totals *totals, FILE *file) {
  char word[MAX_WORD + 1];
  size_t length = 0;
  int byte;
  do {
    byte = getc(file);
    if (byte != EOF) {
      totals->bytes++;
      totals->lines += byte == '\n';
    }
    if (byte != EOF && is_word_byte(byte)) {
      if (length < MAX_WORD) { // a longer word is cut
        word[length++] = (char)tolower(byte);
      }
    } else if (length > 0) {
      word[length] = 0;
      totals->words++;
      count_word(table, word);
      length = 0;
    }
  } while (byte != EOF);
}

// More frequent words first; equally frequent ones in alphabetical order.
static int by_count(const void *left, const void *right) {
  const Entry *a = left, *b = right;
  if (a->count != b->count) {
    return a->count < b->count ? 1 : -1;
  }
  return strcmp(a->text, b->text);
}

static void report(Table *table, const Totals *totals, size_t top) {
  printf("%llu bytes, %llu lines, %llu words, %zu different\n", (unsigned long long)totals->bytes,
         (unsigned long long)totals->lines, (unsigned long long)totals->words, table->used);
  size_t kept = 0;
  for (size_t i = 0; i < table->capacity; i++) {
    if (table->slots[i].text != NULL) {
      table->slots[kept++] = table->slots[i];
    }
  }
  if (kept == 0) {
    return;
  }
  qsort(table->slots, kept, sizeof(Entry), by_count);
  for (size_t i = 0; i < kept && i < top; i++) {
    double share = 100.0 * (double)table->slots[i].count / (double)totals->words;
    printf("%8llu  %5.2f %%  %s\n", (unsigned long long)table->slots[i].count, share, table->slots[i].text);
  }
}

int main(int argc, char **argv) {
  Table table = {0};
  Totals totals = {0};
  size_t top = 10;
  int first = 1;
  if (argc > 2 && strcmp(argv[1], "-n") == 0) {
    top = (size_t)strtoul(argv[2], NULL, 10);
    first = 3;
  }
  if (first >= argc) {
    count_file(&table, &totals, stdin);
  }
  int status = 0;
  for (int i = first; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    if (file == NULL) {
      fprintf(stderr, "wordcount: %s: %s\n", argv[i], strerror(errno));
      status = 1;
      continue;
    }
    count_file(&table, &totals, file);
    fclose(file);
  }
  report(&table, &totals, top);
  return status;
}
