// compiler: 22
// lld: 22
// libc: yes
// cc: -fexceptions -mexception-handling -fwasm-exceptions -mllvm -wasm-use-legacy-eh=false
// link: -lc++abi-eh -lc
#include <stdio.h>

namespace {
struct Secret {
  int value;
};

struct Guard {
  const char *name;
  ~Guard() { printf("%s is gone\n", name); }
};
}

extern "C" void thrower(int kind) {
  Guard guard{"the thrower's guard"};
  if (kind == 1) throw 17;
  if (kind == 2) throw Secret{18};
}

extern "C" int catcher(void (*callback)(int), int kind) {
  Guard guard{"the catcher's guard"};
  try {
    callback(kind);
  } catch (const Secret &secret) {
    return secret.value;
  } catch (...) {
    puts("thrown again");
    throw;
  }
  return 0;
}
