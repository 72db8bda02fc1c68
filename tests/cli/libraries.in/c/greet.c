/* A library that prints, and counts how often. */
struct text {
  const char *bytes;
  unsigned length;
};

__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int fd_write(
    int fd, const struct text *texts, unsigned number, unsigned *written);

int count;

void greet(const char *whom) {
  unsigned length = 0;
  while (whom[length] != 0) {
    length++;
  }
  struct text texts[] = {{"hello, ", 7}, {whom, length}, {"\n", 1}};
  unsigned written;
  fd_write(1, texts, 3, &written);
  count++;
}
