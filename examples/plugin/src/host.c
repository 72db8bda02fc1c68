/* Loads a plugin and runs it: it gets one directory, to read, a counter of ours to
 * call, and nothing else. */
#include <orca.h>
#include <stdio.h>

static int counted;

/* What the plugin can call. */
static int count(int n) {
  counted += n;
  return counted;
}

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, orca_error());
  return 1;
}

int main(void) {
  orca_module module = orca_load_path("/plugin.wasm");
  if (module < 0) return fail("cannot load the plugin");
  orca_child plugin = orca_create(module, "stdout,dir=/data:ro,memory=4MiB");
  if (plugin < 0) return fail("cannot make the plugin");
  if (orca_offer(plugin, "host", "count", count, 0) < 0) return fail("cannot offer a function");
  if (orca_start(plugin) < 0) return fail("cannot start the plugin");

  char permissions[256];
  int length = orca_permissions(plugin, permissions, sizeof permissions);
  printf("host: the plugin may %.*s\n", length, permissions);

  const char *names[] = {"words", "sneak", "crash", "words"};
  for (int i = 0; i < 4; i++) {
    orca_value result = {0};
    int ended = orca_call(plugin, orca_find(plugin, names[i]), 0, &result);
    if (ended < 0)
      printf("host: %s ended early: %.40s\n", names[i], orca_error());
    else
      printf("host: %s gave %d, it has counted to %d\n", names[i], result.i32, counted);
  }
  return orca_drop(plugin) < 0 ? fail("cannot drop the plugin") : 0;
}
