/* Draws frames into the region "frame": a moving gradient, 8 bits a pixel. */
#include <orca.h>

enum { WIDTH = 1024, HEIGHT = 1024 };

static uint8_t *frame;

__attribute__((export_name("_initialize"))) void initialize(void) {
  frame = orca_region_attach("frame", ORCA_READ_WRITE);
}

__attribute__((export_name("produce"))) int produce(int number) {
  if (!frame) return -1;
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++) frame[y * WIDTH + x] = (uint8_t)(x + y + number * 8);
  return 0;
}
