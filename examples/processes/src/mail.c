/* Passes messages between processes through the pages of a file: `send WORDS...`
 * in one, `receive` in another, which waits. */
#include <orca.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct box {
  _Atomic uint32_t messages;
  char text[4000];
};

int main(int argc, char **argv) {
  struct box *box = orca_region_attach("box", ORCA_READ_WRITE);
  if (!box) {
    fprintf(stderr, "cannot map the box: %s\n", orca_error());
    return 1;
  }
  if (argc > 1 && !strcmp(argv[1], "receive")) {
    while (!atomic_load(&box->messages)) usleep(1000);
    printf("received: %s\n", box->text);
    atomic_store(&box->messages, 0);
    return 0;
  }
  if (argc > 2 && !strcmp(argv[1], "send")) {
    size_t at = 0;
    for (int i = 2; i < argc; i++) at += (size_t)snprintf(box->text + at, sizeof box->text - at, i > 2 ? " %s" : "%s", argv[i]);
    atomic_store(&box->messages, 1);
    return 0;
  }
  fprintf(stderr, "usage: send WORDS... | receive\n");
  return 2;
}
