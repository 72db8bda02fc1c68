// A plugin in C: it passes a function of its own to libtext.so.
#include "text.h"

static char upper(char c) {
  return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const char *work(const char *text) {
  return changed(text, upper);
}
