/* Runs the pipeline: has frames drawn and filtered, and shows what is in them. It
 * may read the frame and nothing else. */
#include <orca.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

enum { FRAMES = 3 };

__attribute__((import_module("producer"), import_name("produce"))) int produce(int number);
__attribute__((import_module("filter"), import_name("apply"))) int apply(void);

int main(int argc, char **argv) {
  orca_region region = orca_region_open("frame");
  int64_t size = orca_region_size(region);
  int64_t address = orca_region_map(region, 0, size, ORCA_ANYWHERE, ORCA_READ);
  if (address < 0) {
    fprintf(stderr, "cannot map the frame: %s\n", orca_error());
    return 1;
  }
  const uint8_t *frame = (const uint8_t *)(uintptr_t)address;
  for (int number = 0; number < FRAMES; number++) {
    if (produce(number) < 0 || apply() < 0) {
      fprintf(stderr, "a module of the pipeline has no frame\n");
      return 1;
    }
    uint32_t sum = 0;
    for (int64_t i = 0; i < size; i++) sum = (sum ^ frame[i]) * 16777619;
    printf("frame %d at %#llx: first pixels %d %d %d, checksum %08x\n", number, (long long)address, frame[0], frame[1],
           frame[2], sum);
  }
  /* To write is a trap, whoever tries. */
  if (argc > 1 && !strcmp(argv[1], "--write")) *(volatile uint8_t *)frame = 1;
  return 0;
}
