#!/bin/sh
# Builds the programs anew, with clang and LLVM 19 and Debian's rustc for wasm32: their
# debug information has to be that of the sources here.
set -eu
cd "$(dirname "$0")"
C="clang-19 --target=wasm32 -O1 -g -nostdlib -ffile-prefix-map=$PWD=/source -Wl,--no-entry"
$C mean.c -o mean.wasm
$C -gdwarf-5 mean.c -o five.wasm
$C -gdwarf-5 program.c -o program.wasm
$C -std=c++17 -Wl,--no-demangle shapes.cpp -o shapes.wasm
${RUSTC:-/usr/bin/rustc} --target wasm32-unknown-unknown --crate-type lib --emit obj -O -g -C panic=abort \
    -C codegen-units=1 --remap-path-prefix "$PWD=/source" sum.rs -o sum.o
wasm-ld-19 --no-entry --no-demangle --gc-sections --export run sum.o -o sum.wasm
rm sum.o
llvm-objcopy-19 --remove-section=name mean.wasm nameless.wasm
llvm-objcopy-19 --remove-section=.debug_abbrev mean.wasm damaged.wasm
chmod 644 ./*.wasm
