// libc: yes
// link: -lc++ -lc++abi -lc
#include "animals.h"

#include <cstdio>
#include <cstring>

struct Cat : Animal {
  int legs() const override { return 4; }
};

Animal::~Animal() { std::puts("~Animal"); }
Dog::~Dog() { std::puts("~Dog"); }
int Dog::legs() const { return 4; }

Animal *make(const char *kind) {
  if (std::strcmp(kind, "dog") == 0) return new Dog;
  return new Cat;
}

bool is_dog(const Animal *animal) { return dynamic_cast<const Dog *>(animal) != nullptr; }
void destroy(Animal *animal) { delete animal; }
