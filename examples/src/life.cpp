// Conway's Game of Life on a torus.
//
//   orcavm life.wasm [GENERATIONS [WIDTH HEIGHT [PATTERN]]]
//
// PATTERN is glider (default), pentomino, gun or a number, the seed of a random
// field. The last generation is drawn with two rows to a text line.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace life {

class Field {
public:
  Field(int width, int height) : width_(width), height_(height), cells_(size_t(width) * size_t(height)) {}

  int width() const { return width_; }
  int height() const { return height_; }

  bool alive(int x, int y) const { return cells_[index(x, y)] != 0; }
  void set(int x, int y, bool alive) { cells_[index(x, y)] = alive; }

  size_t population() const { return size_t(std::count(cells_.begin(), cells_.end(), 1)); }

  Field next() const {
    Field result(width_, height_);
    for (int y = 0; y < height_; y++) {
      for (int x = 0; x < width_; x++) {
        int around = neighbours(x, y);
        result.set(x, y, around == 3 || (around == 2 && alive(x, y)));
      }
    }
    return result;
  }

  std::string picture() const {
    static const std::string_view blocks[4] = {" ", "\u2580", "\u2584", "\u2588"};
    std::string text;
    for (int y = 0; y < height_; y += 2) {
      for (int x = 0; x < width_; x++) {
        bool below = y + 1 < height_ && alive(x, y + 1);
        text += blocks[int(alive(x, y)) + 2 * int(below)];
      }
      text.erase(text.find_last_not_of(' ') + 1);
      text += '\n';
    }
    return text;
  }

  uint64_t fingerprint() const {
    uint64_t hash = 14695981039346656037u;
    for (uint8_t cell : cells_) {
      hash = (hash ^ cell) * 1099511628211u;
    }
    return hash;
  }

private:
  size_t index(int x, int y) const {
    x = (x % width_ + width_) % width_;
    y = (y % height_ + height_) % height_;
    return size_t(y) * size_t(width_) + size_t(x);
  }

  int neighbours(int x, int y) const {
    int count = 0;
    for (int dy = -1; dy <= 1; dy++) {
      for (int dx = -1; dx <= 1; dx++) {
        count += (dx != 0 || dy != 0) && alive(x + dx, y + dy);
      }
    }
    return count;
  }

  int width_, height_;
  std::vector<uint8_t> cells_;
};

// What a field starts with.
class Pattern {
public:
  virtual ~Pattern() = default;
  virtual void draw(Field &field) const = 0;
};

class Drawing : public Pattern {
public:
  Drawing(int x, int y, std::vector<std::string_view> rows) : x_(x), y_(y), rows_(std::move(rows)) {}

  void draw(Field &field) const override {
    for (size_t row = 0; row < rows_.size(); row++) {
      for (size_t column = 0; column < rows_[row].size(); column++) {
        field.set(x_ + int(column), y_ + int(row), rows_[row][column] == '#');
      }
    }
  }

private:
  int x_, y_;
  std::vector<std::string_view> rows_;
};

class Noise : public Pattern {
public:
  explicit Noise(uint64_t seed) : seed_(seed) {}

  void draw(Field &field) const override {
    uint64_t state = seed_ * 2 + 1;
    for (int y = 0; y < field.height(); y++) {
      for (int x = 0; x < field.width(); x++) {
        state ^= state << 13; // xorshift64
        state ^= state >> 7;
        state ^= state << 17;
        field.set(x, y, state % 3 == 0);
      }
    }
  }

private:
  uint64_t seed_;
};

std::unique_ptr<Pattern> pattern_named(std::string_view name) {
  if (name == "glider") {
    return std::make_unique<Drawing>(1, 1, std::vector<std::string_view>{".#.", "..#", "###"});
  }
  if (name == "pentomino") {
    return std::make_unique<Drawing>(18, 10, std::vector<std::string_view>{".##", "##.", ".#."});
  }
  if (name == "gun") {
    return std::make_unique<Drawing>(1, 1,
                                     std::vector<std::string_view>{
                                         "........................#...........",
                                         "......................#.#...........",
                                         "............##......##............##",
                                         "...........#...#....##............##",
                                         "##........#.....#...##..............",
                                         "##........#...#.##....#.#...........",
                                         "..........#.....#.......#...........",
                                         "...........#...#....................",
                                         "............##......................",
                                     });
  }
  return std::make_unique<Noise>(std::strtoull(std::string(name).c_str(), nullptr, 10));
}

} // namespace life

int main(int argc, char **argv) {
  int generations = argc > 1 ? std::atoi(argv[1]) : 20;
  int width = argc > 3 ? std::atoi(argv[2]) : 40;
  int height = argc > 3 ? std::atoi(argv[3]) : 20;
  if (generations < 0 || width < 3 || height < 3 || width > 4096 || height > 4096) {
    std::fputs("life: need at least 0 generations and a field of 3x3 to 4096x4096\n", stderr);
    return 2;
  }
  life::Field field(width, height);
  life::pattern_named(argc > 4 ? argv[4] : "glider")->draw(field);

  // A field seen before means that the game has become periodic.
  std::unordered_map<uint64_t, int> seen{{field.fingerprint(), 0}};
  std::string period;
  for (int generation = 1; generation <= generations; generation++) {
    field = field.next();
    auto [earlier, is_new] = seen.emplace(field.fingerprint(), generation);
    if (!is_new && period.empty()) {
      period = ", generation " + std::to_string(generation) + " equals generation " + std::to_string(earlier->second);
    }
  }
  std::fputs(field.picture().c_str(), stdout);
  std::printf("generation %d: %zu alive%s\n", generations, field.population(), period.c_str());
  return 0;
}
