#include "say.h"

__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) void proc_exit(int);

__attribute__((constructor)) static void construct(void) {
  say("a exits\n");
  proc_exit(9);
}
