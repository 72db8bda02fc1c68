// link: -la
#include "say.h"

extern int numbers[4];
extern int *last, *first;
int **own[] = {&last, &first};
static int local = 7;
int *pointers[] = {numbers, &numbers[3], &local};

int main(void) {
  for (int i = 0; i < 3; i++) say("%d\n", *pointers[i]);
  say("%d %d\n", *last, *first);
  say("%d %d\n", **own[0], **own[1]);
  return 0;
}
