// A program that calls a function of another module: mean.wasm.

__attribute__((import_module("mean"), import_name("run"))) int mean(int count);

__attribute__((noinline)) int twice(int count) {
    return mean(count) * 2;
}

__attribute__((export_name("run"))) int run(int count) {
    return twice(count) + 1;
}
