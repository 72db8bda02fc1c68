// libc: yes
// link: -lwriter -lc
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int write_lines(FILE *file, int count);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  FILE *file = fopen("/box/lines.txt", "w");
  if (!file) return perror("/box/lines.txt"), 1;
  printf("%d\n", write_lines(file, 3));
  fclose(file);
  char line[100];
  file = fopen("/box/lines.txt", "r");
  while (fgets(line, sizeof line, file)) fputs(line, stdout);
  fclose(file);
  struct stat status;
  printf("%d %d\n", stat("/box/lines.txt", &status), (int)status.st_size);
  printf("%d\n", rename("/box/lines.txt", "/box/moved.txt"));
  DIR *folder = opendir("/box");
  for (struct dirent *entry; (entry = readdir(folder));)
    if (entry->d_name[0] != '.') puts(entry->d_name);
  closedir(folder);
  printf("%d\n", unlink("/box/moved.txt"));
  file = fopen("/elsewhere", "r");
  printf("%d %s\n", file != 0, strerror(errno));
  return 0;
}
