#include "say.h"

__attribute__((weak)) void log_line(const char *text) {
  say("a logs %s\n", text);
}

void work(void) {
  log_line("work");
}
