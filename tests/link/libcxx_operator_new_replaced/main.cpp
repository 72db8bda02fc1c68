// libc: yes
// link: -lmaker -lc++ -lc++abi -lc --export=_Znwm --export=_ZdlPv
#include <cstdio>
#include <cstdlib>
#include <string>

std::string make(int length);
static int allocations, releases;

void *operator new(std::size_t size) {
  allocations++;
  return std::malloc(size);
}

void operator delete(void *block) noexcept {
  releases++;
  std::free(block);
}

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  int before = allocations;
  {
    std::string text = make(100);
    std::printf("%zu %d\n", text.size(), allocations > before);
  }
  std::printf("%d\n", allocations == releases);
  return 0;
}
