// The standard containers and algorithms, strings and streams.
#include <algorithm>
#include <array>
#include <deque>
#include <iomanip>
#include <iostream>
#include <list>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

template <class Range> void show(std::string_view title, const Range &range) {
  std::cout << title << ':';
  for (const auto &item : range) {
    std::cout << ' ' << item;
  }
  std::cout << '\n';
}

static void sequences() {
  std::vector<int> numbers(20);
  std::iota(numbers.begin(), numbers.end(), 1);
  std::rotate(numbers.begin(), numbers.begin() + 7, numbers.end());
  show("rotated", numbers);
  numbers.erase(std::remove_if(numbers.begin(), numbers.end(), [](int n) { return n % 3 == 0; }), numbers.end());
  std::sort(numbers.begin(), numbers.end(), std::greater<>());
  show("filtered", numbers);
  std::cout << "sum " << std::accumulate(numbers.begin(), numbers.end(), 0) << '\n';

  std::deque<std::string> words;
  std::istringstream text("the quick brown fox jumps over the lazy dog");
  for (std::string word; text >> word;) {
    if (word.size() > 3) {
      words.push_front(word);
    } else {
      words.push_back(word);
    }
  }
  show("deque", words);
  std::list<int> list{5, 1, 4, 1, 5, 9, 2, 6};
  list.sort();
  list.unique();
  show("list", list);
}

static void associations() {
  std::map<std::string, std::vector<int>> lines;
  std::istringstream poem("a rose is a rose\nis a rose\nbut a dog is a dog");
  int number = 0;
  for (std::string line; std::getline(poem, line);) {
    number++;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      lines[word].push_back(number);
    }
  }
  for (const auto &[word, where] : lines) {
    std::cout << std::setw(6) << word;
    show("", where);
  }

  std::unordered_map<unsigned, unsigned> lengths;
  unsigned best = 0, longest = 0;
  for (unsigned start = 1; start < 30000; start++) {
    unsigned long long n = start;
    unsigned steps = 0;
    while (n >= start && n != 1) {
      n = n % 2 == 0 ? n / 2 : 3 * n + 1;
      steps++;
    }
    steps += n == 1 ? 0 : lengths.at(unsigned(n));
    lengths.emplace(start, steps);
    if (steps > longest) {
      longest = steps;
      best = start;
    }
  }
  std::cout << "longest Collatz run below 30000: " << best << ", " << longest << " steps\n";
}

static void shortest_paths() {
  constexpr int size = 30;
  auto cost = [](int x, int y) { return 1 + (x * 7 + y * 13 + x * y) % 9; };
  std::vector<int> distance(size * size, 1 << 30);
  using Step = std::tuple<int, int, int>;
  std::priority_queue<Step, std::vector<Step>, std::greater<>> open;
  open.emplace(0, 0, 0);
  distance[0] = 0;
  while (!open.empty()) {
    auto [so_far, x, y] = open.top();
    open.pop();
    if (so_far > distance[size_t(y * size + x)]) {
      continue;
    }
    constexpr std::array<std::pair<int, int>, 4> directions{{{1, 0}, {-1, 0}, {0, 1}, {0, -1}}};
    for (auto [dx, dy] : directions) {
      int to_x = x + dx, to_y = y + dy;
      if (to_x < 0 || to_y < 0 || to_x >= size || to_y >= size) {
        continue;
      }
      int there = so_far + cost(to_x, to_y);
      int &known = distance[size_t(to_y * size + to_x)];
      if (there < known) {
        known = there;
        open.emplace(there, to_x, to_y);
      }
    }
  }
  std::cout << "shortest path costs " << distance.back() << '\n';
}

static void streams() {
  std::ostringstream out;
  out << std::hex << std::showbase << 48879 << ' ' << std::oct << 8 << ' ' << std::dec << std::noshowbase;
  out << std::fixed << std::setprecision(3) << 3.14159 << ' ' << std::scientific << 12345.678 << ' ';
  out << std::boolalpha << true << ' ' << std::setfill('*') << std::setw(6) << 42;
  std::cout << out.str() << '\n';
  std::string joined;
  for (const std::string &part : std::set<std::string>{"pear", "apple", "fig"}) {
    joined += (joined.empty() ? "" : ", ") + part;
  }
  std::cout << joined << " (" << joined.size() << "), " << joined.find("fig") << ", " << std::stod("2.5e3") << '\n';
}

int main() {
  sequences();
  associations();
  shortest_paths();
  streams();
}
