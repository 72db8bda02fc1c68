// compiler: 19
// lld: 22
// libc: yes
// cc: -fexceptions -mexception-handling -fwasm-exceptions
// link: -lfailure -lc++abi-eh -lc
#include "../exception_cpp_types/main.cpp"
