#pragma once

struct Animal {
  virtual ~Animal();
  virtual int legs() const = 0;
};

struct Dog : Animal {
  ~Dog() override;
  int legs() const override;
};

Animal *make(const char *kind);
bool is_dog(const Animal *);
void destroy(Animal *);
