// How a position-independent program starts whose C library is libc.so.

#include <stdlib.h>
#include <wasi/api.h>

void __wasm_call_ctors(void);
int __main_argc_argv(int count, char **arguments);

__attribute__((export_name("_start"))) void _start(void) {
  __wasm_call_ctors();
  size_t count, size;
  if (__wasi_args_sizes_get(&count, &size)) _Exit(71);
  char **arguments = calloc(count + 1, sizeof *arguments);
  uint8_t *text = malloc(size);
  if (__wasi_args_get((uint8_t **)arguments, text)) _Exit(71);
  exit(__main_argc_argv((int)count, arguments));
}

// LLD 19 fails where libc.so is all that has it; `exit` does what it would do.
__attribute__((visibility("hidden"))) void __wasm_call_dtors(void) {}
