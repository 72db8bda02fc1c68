// libc: yes
// link: -lc++ -lc++abi -lc
#include <iomanip>
#include <iostream>
#include <sstream>

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  std::cout << "number " << 42 << ", " << std::fixed << std::setprecision(2) << 2.5 << ", " << std::hex << 255
            << std::boolalpha << ' ' << true << '\n';
  std::ostringstream text;
  text << std::setw(6) << std::setfill('.') << 7;
  std::cout << text.str() << '\n';
  std::istringstream numbers("1 2 x");
  int sum = 0, value;
  while (numbers >> value) sum += value;
  std::cout << std::dec << sum << ' ' << numbers.fail();
  std::cerr << "to stderr\n";
  return 0;
}
