// How a position-independent program starts that has no C library.

void __wasm_call_ctors(void);
int main(void);

__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"), noreturn)) void
proc_exit(int code);

__attribute__((export_name("_start"))) void _start(void) {
  __wasm_call_ctors();
  int code = main();
  if (code) proc_exit(code);
}
