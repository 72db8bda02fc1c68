// libc: yes
// link: -lc++ -lc++abi -lc
#include <functional>
#include <map>
#include <string>
#include <vector>

std::map<std::string, int> count(const std::vector<std::string> &words) {
  std::map<std::string, int> counts;
  for (const auto &word : words) counts[word]++;
  return counts;
}

std::string join(const std::vector<std::string> &words, const std::function<std::string(const std::string &)> &change) {
  std::string joined;
  for (const auto &word : words) joined += change(word);
  return joined;
}
