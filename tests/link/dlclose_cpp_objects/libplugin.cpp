#include "say.h"

struct Named {
  const char *name;
  explicit Named(const char *name) : name(name) { say("+%s\n", name); }
  ~Named() { say("-%s\n", name); }
};

Named first("first"), second("second");

// Guards of static locals are for threads: one is enough here.
extern "C" int __cxa_guard_acquire(char *guard) { return !*guard; }
extern "C" void __cxa_guard_release(char *guard) { *guard = 1; }

extern "C" void use() {
  static Named local("local");
}
