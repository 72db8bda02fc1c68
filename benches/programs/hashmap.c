/* A hash table with linear probing and backward-shift deletion, filled, asked
   and emptied: multiplication, dependent loads that miss, unpredictable
   branches. */
#include "guest.h"

struct entry { uint64_t key; uint32_t value, used; };

static struct entry *table;
static uint32_t mask, count;

static uint32_t home(uint64_t key) {
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 40) & mask;
}

static struct entry *find(uint64_t key) {
    uint32_t at = home(key);
    while (table[at].used && table[at].key != key) at = (at + 1) & mask;
    return &table[at];
}

static void grow(void) {
    struct entry *old = table;
    uint32_t size = mask + 1;
    mask = size * 2 - 1;
    table = calloc(mask + 1, sizeof *table);
    for (uint32_t i = 0; i < size; i++)
        if (old[i].used) *find(old[i].key) = old[i];
    free(old);
}

__attribute__((noinline)) static void add(uint64_t key, uint32_t value) {
    if (count * 4 > mask * 3) grow();
    struct entry *entry = find(key);
    count += !entry->used;
    entry->key = key;
    entry->used = 1;
    entry->value += value;
}

__attribute__((noinline)) static uint32_t get(uint64_t key) {
    struct entry *entry = find(key);
    return entry->used ? entry->value : 0;
}

__attribute__((noinline)) static int take(uint64_t key) {
    struct entry *entry = find(key);
    if (!entry->used) return 0;
    uint32_t hole = (uint32_t)(entry - table);
    for (uint32_t at = (hole + 1) & mask; table[at].used; at = (at + 1) & mask)
        if (((at - home(table[at].key)) & mask) >= ((at - hole) & mask)) { table[hole] = table[at]; hole = at; }
    memset(&table[hole], 0, sizeof *table);
    count--;
    return 1;
}

int main(int argc, char **argv) {
    uint32_t keys = (uint32_t)size_argument(argc, argv, 200000);
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++) {
        mask = 255;
        count = 0;
        table = calloc(mask + 1, sizeof *table);
        uint32_t seed = random_state;
        for (uint32_t j = 0; j < keys; j++) add(random_number() & 0x1ffff, j);
        random_state = seed;
        for (uint32_t j = 0; j < keys; j++) sum += get(random_number() & 0x3ffff);
        for (uint64_t key = 0; key < keys; key += 2) sum += (uint64_t)take(key) << 20;
        sum = sum * 31 + count;
        free(table);
    }
    print_number(sum);
    return 0;
}
