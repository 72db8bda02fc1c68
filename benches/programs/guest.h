/* What the programs share: their size, and a way to print that is smaller than
   printf, so that the modules stay small enough to be kept in the tree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first argument, or what the program does without one. */
static inline int size_argument(int argc, char **argv, int otherwise) {
    return argc > 1 ? atoi(argv[1]) : otherwise;
}

/* Prints a number and a newline. */
static inline void print_number(uint64_t number) {
    char text[24], *at = text + sizeof text;
    *--at = '\n';
    do *--at = (char)('0' + number % 10); while (number /= 10);
    write(1, at, (size_t)(text + sizeof text - at));
}

/* xorshift32 */
static uint32_t random_state = 2463534242u;
static inline uint32_t random_number(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}
