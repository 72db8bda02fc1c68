// libc: yes
// link: -lwords -lc
#include <stdio.h>

size_t count_words(const char *text, void (*each)(const char *, size_t, unsigned));
extern unsigned WORDS_SEEN;

static void show(const char *word, size_t length, unsigned count) {
  printf("%.*s: %u\n", (int)length, word, count);
}

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  setvbuf(stdout, 0, _IONBF, 0);
  printf("%zu\n", count_words("the cat and the dog and The Bird", show));
  printf("%u\n", WORDS_SEEN);
  return 0;
}
