#!/bin/sh
# Builds the modules anew, each for itself: sandbox/tests/pointers/build.sh
# They need clang and LLD for wasm32, version 19 or later, and no C library.
set -e
cd "$(dirname "$0")"
for name in library program guest; do
  ${CC:-clang-19} --target=wasm32 -O2 -Wall -Wextra -nostdlib -I ../../../guest/include \
    -Wl,--no-entry,--export-table,--growable-table,--stack-first,-z,stack-size=8192,--strip-all \
    -o $name.wasm $name.c
done
