// libc: yes
// link: -lc++ -lc++abi -lc
#include <string>

std::string make(int length) { return std::string(length, 'x'); }
