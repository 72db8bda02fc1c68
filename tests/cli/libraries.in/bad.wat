;; Needs what is no library.
(module $bad
  (@dylink.0 (needed "nowhere/libx.so" "lib" "lib/elf.so" "lib/cut.so" "libtext.so" "lib/../lib" "\1b[31mred")))
