/* A program that prints through a library, and exits with what that has counted. */
extern int count;
void greet(const char *whom);

__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) void proc_exit(int code);

__attribute__((export_name("_start"))) void _start(void) {
  greet("program");
  greet("library");
  proc_exit(count);
}
