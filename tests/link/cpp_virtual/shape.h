#pragma once

struct Shape {
  virtual int area() const;
  virtual const char *name() const;
};

struct Square : Shape {
  int side;
  explicit Square(int side);
  int area() const override;
  const char *name() const override;
};

int total(const Shape *const *shapes, int count);
