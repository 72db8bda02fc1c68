#!/bin/sh
# Rebuilds the modules of the cases from their sources, with clang 19 and LLD 19
# (Debian: clang-19, lld-19).
set -eu
cd "$(dirname "$0")"
CC="clang-19 --target=wasm32-wasi -O1 -Wall -Wextra -fPIC -fvisibility=default -ffreestanding"
for case in */; do
  for source in "$case"*.c; do
    $CC -c "$source" -o "${source%.c}.o"
    wasm-ld-19 --experimental-pic -shared --unresolved-symbols=import-dynamic "${source%.c}.o" -o "${source%.c}.wasm"
    rm "${source%.c}.o"
  done
done
