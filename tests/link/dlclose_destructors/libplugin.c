#include "say.h"

int __cxa_atexit(void (*)(void *), void *, void *);
extern void *__dso_handle;

__attribute__((destructor)) static void destroy(void) {
  say("destructor\n");
}

__attribute__((constructor)) static void construct(void) {
  say("constructor\n");
}

static void at_exit(void *text) {
  say("%s\n", (const char *)text);
}

void register_more(void) {
  __cxa_atexit(at_exit, "first registered", &__dso_handle);
  __cxa_atexit(at_exit, "second registered", &__dso_handle);
}
