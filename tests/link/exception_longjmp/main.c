// compiler: 22
// lld: 22
// cc: -mexception-handling -mllvm -wasm-enable-sjlj -mllvm -wasm-use-legacy-eh=false
// link: -lparse -ljump
#include "jump.h"
#include "say.h"

void parse(const char *text, void (*refuse)(int));
static jmp_buf start;

static void refuse(int at) {
  longjmp(start, at);
}

static void attempt(const char *text) {
  volatile int tries = 1;
  int at = setjmp(start);
  if (!at) {
    tries++;
    parse(text, refuse);
    say("'%s' is right\n", text);
  } else {
    say("'%s' is wrong at %d, %d\n", text, at, tries);
  }
}

int main(void) {
  attempt("()");
  attempt("(()");
  attempt("())");
  return 0;
}
