// compiler: 19
// lld: 22
// libc: yes
// cc: -fexceptions -mexception-handling -fwasm-exceptions
// link: -lc++abi-eh -lc
#include "failure.h"

#include <stdio.h>

const char *Failure::what() const { return "general"; }
Failure::~Failure() {}
const char *Special::what() const { return "particular"; }

struct Guard {
  ~Guard() { puts("unwound"); }
};

void fail(int kind) {
  Guard guard;
  if (kind == 1) throw Failure(10);
  if (kind == 2) throw Special(20);
  if (kind == 3) throw 30;
  if (kind == 4) throw "text";
}

int guarded(void (*callback)()) {
  try {
    callback();
  } catch (const Failure &failure) {
    return failure.code;
  }
  return 0;
}
