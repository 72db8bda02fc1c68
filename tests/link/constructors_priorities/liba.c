#include "say.h"

__attribute__((constructor)) static void last(void) {
  say("a\n");
}

__attribute__((constructor(300))) static void second(void) {
  say("a 300\n");
}

__attribute__((constructor(200))) static void first(void) {
  say("a 200\n");
}
