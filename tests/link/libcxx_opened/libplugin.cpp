// libc: yes
// link: -lc++ -lc++abi -lc
#include <cstring>
#include <sstream>

extern "C" void format(int number, char *out) {
  std::ostringstream text;
  text << "number " << number << ", twice " << 2 * number;
  std::strcpy(out, text.str().c_str());
}
