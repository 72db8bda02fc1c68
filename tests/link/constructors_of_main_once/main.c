// link: --export=__wasm_call_ctors -la
#include "say.h"

__attribute__((constructor)) static void construct(void) {
  say("main\n");
}

int main(void) {
  say("runs\n");
  return 0;
}
