// link: -la
#include "say.h"

void work(void);

void log_line(const char *text) {
  say("main logs %s\n", text);
}

int main(void) {
  work();
  log_line("itself");
  return 0;
}
