// link: -la
#include "say.h"

struct Speaker {
  explicit Speaker(const char *text) { say("%s\n", text); }
};
extern int ready;
Speaker first("main first"), second(ready ? "main second, a is ready" : "a is not ready");

int main() {
  say("main\n");
  return 0;
}
