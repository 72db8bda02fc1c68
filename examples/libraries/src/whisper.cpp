// A plugin in C++: an object that is made when it is opened, and says so when it goes.
#include "text.h"

struct Whisper {
  Whisper() { print("whisper: here"); }
  ~Whisper() { print("whisper: gone"); }

  static char lower(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }
};

static Whisper whisper;

extern "C" void *__dso_handle;
extern "C" const char *work(const char *text) {
  return changed(text, Whisper::lower);
}
