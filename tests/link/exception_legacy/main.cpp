// compiler: 19
// lld: 22
// libc: yes
// cc: -fexceptions -mexception-handling -fwasm-exceptions
// link: -lfailure -lc++abi-eh -lc
#include "failure.h"

#include <stdio.h>

static void attempt(int kind) {
  try {
    fail(kind);
    puts("nothing");
  } catch (const Special &special) {
    printf("special %d %s\n", special.code, special.what());
  } catch (const Failure &failure) {
    printf("failure %d %s\n", failure.code, failure.what());
  } catch (int number) {
    printf("number %d\n", number);
  } catch (...) {
    puts("something else");
  }
}

static void throw_special() { throw Special(40); }

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  for (int kind = 0; kind < 5; kind++) attempt(kind);
  printf("%d\n", guarded(throw_special));
  return 0;
}
