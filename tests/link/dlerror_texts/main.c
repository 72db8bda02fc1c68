#include "say.h"
#include <dlfcn.h>

int main(void) {
  static const char *const names[] = {"libmissing.so", "libtext.so",  "libempty.so", "libfolder.so",
                                      "libcut.so",     "libplain.so", "libbad.so"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    void *library = dlopen(names[i], RTLD_NOW);
    const char *text = dlerror();
    say("%d %s\n", library != 0, text ? text : "no text");
  }
  return 0;
}
