// link: -lshape
// cc: -fno-rtti
#include "say.h"
#include "shape.h"

struct Rectangle : Square {
  int height;
  Rectangle(int width, int height) : Square(width), height(height) {}
  int area() const override { return side * height; }
};

int main() {
  Shape shape;
  Square square(4);
  Rectangle rectangle(2, 3);
  const Shape *shapes[] = {&shape, &square, &rectangle};
  for (const Shape *each : shapes) say("%s %d\n", each->name(), each->area());
  say("%d\n", total(shapes, 3));
  return 0;
}
