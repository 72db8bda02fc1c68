// Files of a preopened directory: write, append, seek, read, truncate, rename,
// list, stat, remove; and what must not work.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check(int ok, const char *what) {
  if (!ok) {
    printf("%s: %s\n", what, strerror(errno));
    exit(1);
  }
}

static int compare(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path) {
  DIR *directory = opendir(path);
  check(directory != NULL, "opendir");
  char *names[64];
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL && count < 64;) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      names[count++] = strdup(entry->d_name);
    }
  }
  closedir(directory);
  qsort(names, count, sizeof *names, compare);
  printf("%s:", path);
  for (size_t i = 0; i < count; i++) {
    printf(" %s", names[i]);
  }
  printf("\n");
}

int main(int argc, char **argv) {
  const char *root = argc > 1 ? argv[1] : ".";
  check(chdir(root) == 0, root);

  FILE *file = fopen("notes.txt", "w+");
  check(file != NULL, "create");
  for (int i = 0; i < 1000; i++) {
    fprintf(file, "line %03d\n", i);
  }
  check(fseek(file, 9 * 500, SEEK_SET) == 0, "seek");
  char line[32];
  check(fgets(line, sizeof line, file) != NULL, "read back");
  printf("middle: %s", line);
  check(fseek(file, -9, SEEK_END) == 0, "seek from the end");
  check(fgets(line, sizeof line, file) != NULL, "read the end");
  printf("last: %s", line);
  printf("position: %ld\n", ftell(file));
  check(fclose(file) == 0, "close");

  file = fopen("notes.txt", "a");
  check(file != NULL && fputs("appended\n", file) >= 0 && fclose(file) == 0, "append");
  struct stat about;
  check(stat("notes.txt", &about) == 0, "stat");
  printf("size: %lld, %s\n", (long long)about.st_size, S_ISREG(about.st_mode) ? "regular" : "something else");

  int fd = open("notes.txt", O_RDWR);
  check(fd >= 0, "open");
  check(ftruncate(fd, 10) == 0, "truncate");
  check(pwrite(fd, "LINE", 4, 0) == 4, "pwrite");
  char start[16] = {0};
  check(pread(fd, start, 15, 0) == 10, "pread");
  printf("start: %.8s\n", start);
  check(close(fd) == 0, "close");
  check(close(fd) != 0 && errno == EBADF, "a second close fails");

  check(mkdir("box", 0777) == 0, "mkdir");
  check(mkdir("box", 0777) != 0 && errno == EEXIST, "a second mkdir fails");
  check(rename("notes.txt", "box/renamed.txt") == 0, "rename");
  check(access("notes.txt", F_OK) != 0 && errno == ENOENT, "the old name is gone");
  list(".");
  list("box");
  check(rmdir("box") != 0 && errno == ENOTEMPTY, "rmdir of a full folder fails");
  check(unlink("box/renamed.txt") == 0, "unlink");
  check(rmdir("box") == 0, "rmdir");
  list(".");

  check(open("../outside", O_RDONLY) < 0, "paths above the folder are refused");
  check(open("/etc/passwd", O_RDONLY) < 0, "paths outside are refused");
  puts("done");
  return 0;
}
