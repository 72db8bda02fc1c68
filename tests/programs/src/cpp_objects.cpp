// Virtual calls, multiple and virtual inheritance, dynamic_cast, smart pointers,
// std::function, templates, static constructors and destructors; prints with
// printf only, so that the program stays small. With an argument it traps.
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

namespace {

struct Announcer {
  explicit Announcer(const char *name) : name(name) { std::printf("%s is made\n", name); }
  ~Announcer() {
    std::printf("%s is gone\n", name);
    std::fflush(stdout);
  }
  const char *name;
};

const Announcer first("first static"), second("second static");

class Shape {
public:
  virtual ~Shape() = default;
  virtual double area() const = 0;
  virtual std::string name() const { return "shape"; }
};

class Named {
public:
  explicit Named(std::string label) : label_(std::move(label)) {}
  virtual ~Named() { std::printf("~%s ", label_.c_str()); }
  virtual const std::string &label() const { return label_; }

private:
  std::string label_;
};

class Circle : public Shape {
public:
  explicit Circle(double radius) : radius_(radius) {}
  double area() const override { return 3.14159265358979 * radius_ * radius_; }
  std::string name() const override { return "circle"; }

private:
  double radius_;
};

class Rectangle : public Shape, public Named {
public:
  Rectangle(double width, double height, std::string label) : Named(std::move(label)), width_(width), height_(height) {}
  double area() const override { return width_ * height_; }

private:
  double width_, height_;
};

class Square final : public Rectangle {
public:
  explicit Square(double side) : Rectangle(side, side, "square-label") {}
  std::string name() const override { return "square"; }
};

class Broken : public Shape {
public:
  double area() const override { __builtin_trap(); }
};

__attribute__((noinline)) double measure(const Shape &shape, int times) {
  double sum = 0;
  for (int i = 0; i < times; i++) {
    sum += shape.area();
  }
  return sum;
}

struct Base {
  int value = 1;
  virtual int get() const { return value; }
  virtual ~Base() = default;
};
struct Left : virtual Base {
  Left() { value += 10; }
};
struct Right : virtual Base {
  Right() { value *= 3; }
};
struct Diamond : Left, Right {
  int get() const override { return Base::get() * 100; }
};

template <class... Fs> struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs> Overloaded(Fs...) -> Overloaded<Fs...>;

template <unsigned N> struct Fibonacci {
  static constexpr unsigned long long value = Fibonacci<N - 1>::value + Fibonacci<N - 2>::value;
};
template <> struct Fibonacci<1> {
  static constexpr unsigned long long value = 1;
};
template <> struct Fibonacci<0> {
  static constexpr unsigned long long value = 0;
};

} // namespace

int main(int argc, char **) {
  if (argc > 1) {
    std::printf("%g\n", measure(Broken(), argc)); // traps in a virtual function
  }
  std::vector<std::unique_ptr<Shape>> shapes;
  shapes.push_back(std::make_unique<Circle>(1.5));
  shapes.push_back(std::make_unique<Rectangle>(2.0, 3.5, "rectangle-label"));
  shapes.push_back(std::make_unique<Square>(4.0));
  double total = 0;
  for (const auto &shape : shapes) {
    const auto *named = dynamic_cast<const Named *>(shape.get());
    std::printf("%s %.4f %s\n", shape->name().c_str(), shape->area(), named != nullptr ? named->label().c_str() : "-");
    total += shape->area();
  }
  const Shape &rectangle = *shapes[1], &square = *shapes[2];
  std::printf("total %.6f, same type: %d\n", total, typeid(rectangle) == typeid(square));
  shapes.clear();
  std::puts("");

  Diamond diamond;
  const Base &base = diamond;
  std::printf("diamond %d\n", base.get());

  std::vector<std::function<double(double)>> steps{[](double x) { return x + 1; }, [factor = 2.5](double x) { return x * factor; },
                                                   static_cast<double (*)(double)>(std::sqrt)};
  double value = 9;
  for (int round = 0; round < 3; round++) {
    for (const auto &step : steps) {
      value = step(value);
    }
  }
  std::printf("value %.9f\n", value);

  std::vector<std::variant<int, double, std::string>> items{42, 2.5, std::string("text")};
  for (const auto &item : items) {
    std::visit(Overloaded{[](int i) { std::printf("int %d\n", i); }, [](double d) { std::printf("double %g\n", d); },
                          [](const std::string &s) { std::printf("string %s\n", s.c_str()); }},
               item);
  }

  auto shared = std::make_shared<Announcer>("shared");
  std::weak_ptr<Announcer> weak = shared;
  auto copy = shared;
  std::printf("uses %ld\n", shared.use_count());
  shared.reset();
  copy.reset();
  std::printf("expired %d\n", weak.expired());

  std::optional<std::string> nothing;
  std::printf("%s %llu\n", nothing.value_or("nothing").c_str(), Fibonacci<90>::value);
}
