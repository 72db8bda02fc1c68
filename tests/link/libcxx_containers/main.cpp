// libc: yes
// link: -lwords -lc++ -lc++abi -lc
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

std::map<std::string, int> count(const std::vector<std::string> &words);
std::string join(const std::vector<std::string> &words, const std::function<std::string(const std::string &)> &change);

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  std::vector<std::string> words{"pear", "apple", "pear", "a word that is too long to be stored inside"};
  for (const auto &[word, number] : count(words)) std::printf("%s: %d\n", word.c_str(), number);
  std::string separator = "/";
  std::puts(join(words, [&](const std::string &word) { return separator + word.substr(0, 3); }).c_str());
  return 0;
}
