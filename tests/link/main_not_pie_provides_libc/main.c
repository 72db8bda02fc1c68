// kind: static
// link: -la --export=printf --export=malloc --export=free --export=strdup
#include <stdio.h>
#include <stdlib.h>

char *greet(const char *name);

int main(void) {
  char *text = greet("library");
  puts(text);
  free(text);
  return 0;
}
