#!/bin/sh
# Rebuilds the program and its library, with clang 19 and an LLD that knows --rpath
# (22; ziglang of PyPI has it).
set -eu
cd "$(dirname "$0")"
CC="clang-19 --target=wasm32-wasi -O1 -Wall -Wextra -fPIC -fvisibility=default -ffreestanding"
LD="${LD:-python3 -m ziglang wasm-ld} --experimental-pic --strip-debug"
$CC -c greet.c -o greet.o
$LD -shared --unresolved-symbols=import-dynamic greet.o -o lib/libgreet.so
$CC -c main.c -o main.o
# shellcheck disable=SC2016
$LD -pie -Bdynamic --import-memory --no-entry main.o -Llib -lgreet --rpath='$ORIGIN/lib' -o main.wasm
rm greet.o main.o
