// compiler: 22
// lld: 22
// cc: -mexception-handling -fwasm-exceptions -mllvm -wasm-use-legacy-eh=false
// What the compiler calls for setjmp and longjmp.
struct jump {
  void *frame;
  unsigned label;
  struct {
    void *jump;
    int value;
  } thrown;
};

void __wasm_setjmp(void *buffer, unsigned label, void *frame) {
  struct jump *jump = buffer;
  jump->frame = frame;
  jump->label = label;
}

unsigned __wasm_setjmp_test(void *buffer, void *frame) {
  struct jump *jump = buffer;
  return jump->frame == frame ? jump->label : 0;
}

void __wasm_longjmp(void *buffer, int value) {
  struct jump *jump = buffer;
  jump->thrown.jump = buffer;
  jump->thrown.value = value ? value : 1;
  __builtin_wasm_throw(1, &jump->thrown);
}
