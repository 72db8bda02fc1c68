// libc: yes
// link: -lanimals -lc++ -lc++abi -lc --export-dynamic
#include "animals.h"

#include <cstdio>
#include <typeinfo>

struct Puppy : Dog {
  ~Puppy() override { std::puts("~Puppy"); }
};

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  Animal *dog = make("dog"), *cat = make("cat"), *puppy = new Puppy;
  std::printf("%d %d %d\n", dynamic_cast<Dog *>(dog) != nullptr, dynamic_cast<Dog *>(cat) != nullptr,
              dynamic_cast<Dog *>(puppy) != nullptr);
  std::printf("%d %d\n", typeid(*dog) == typeid(Dog), typeid(*dog) == typeid(*cat));
  std::printf("%d %d\n", is_dog(puppy), is_dog(cat));
  delete dog;
  delete cat;
  destroy(puppy);
  return 0;
}
