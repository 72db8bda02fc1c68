/* A bytecode machine whose state are global variables that other modules could
   replace: each use goes through the GOT. As much of it as real code ever has. */
typedef unsigned u32;
#define SHARED __attribute__((visibility("default")))
SHARED u32 accumulator, counter, limit, cells[256];
SHARED const unsigned char *next;

enum { ADD, MULTIPLY, LOAD, STORE, COUNT, JUMP, HALT };
static const unsigned char program[] = {LOAD, ADD, MULTIPLY, STORE, COUNT, JUMP, HALT};

SHARED __attribute__((noinline)) void step_store(void) { cells[counter & 255] = accumulator; }
SHARED __attribute__((noinline)) void step_load(void) { accumulator ^= cells[counter >> 1 & 255]; }

SHARED int run(int times) {
    accumulator = 1;
    counter = 0;
    limit = (u32)times;
    __builtin_memset(cells, 0, sizeof cells);
    next = program;
    for (;;)
        switch (*next++) {
        case ADD: accumulator += counter; break;
        case MULTIPLY: accumulator *= 16777619; break;
        case LOAD: step_load(); break;
        case STORE: step_store(); break;
        case COUNT: counter++; break;
        case JUMP: if (counter < limit) next = program; break;
        default: return (int)accumulator;
        }
}
