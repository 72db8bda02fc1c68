// Copies standard input to standard output through buffers of odd sizes, and
// tells on standard error how much it was.
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
  static char buffer[10007];
  uint64_t total = 0;
  uint32_t sum = 0;
  for (;;) {
    ssize_t got = read(0, buffer, 1 + total % sizeof buffer);
    if (got < 0) {
      perror("read");
      return 1;
    }
    if (got == 0) {
      break;
    }
    for (ssize_t i = 0; i < got; i++) {
      sum = sum * 31 + (unsigned char)buffer[i];
    }
    for (ssize_t done = 0; done < got;) {
      ssize_t put = write(1, buffer + done, (size_t)(got - done));
      if (put <= 0) {
        perror("write");
        return 1;
      }
      done += put;
    }
    total += (uint64_t)got;
  }
  fprintf(stderr, "%llu bytes, checksum %08x\n", (unsigned long long)total, sum);
  return 0;
}
