/* Compresses text with an LZ77 of 64 KiB windows and hash chains, expands it
   again and compares: 32-bit loads at odd addresses, byte copies, inner loops
   of a few operators. */
#include "guest.h"

enum { WINDOW = 1 << 16, HASH = 1 << 14, MIN = 4, MAX = 255 + MIN };

static int32_t head[HASH], chain[WINDOW];

static uint32_t word(const uint8_t *at) {
    uint32_t bytes;
    memcpy(&bytes, at, 4);
    return bytes;
}

/* Literals: length - 1 below 128, bytes. Matches: 255, length - MIN, distance
   (two bytes). */
__attribute__((noinline)) static uint8_t *compress(const uint8_t *in, int32_t length, uint8_t *out) {
    int32_t literals = 0, at = 0;
    for (int i = 0; i < HASH; i++) head[i] = -WINDOW;
    while (at < length) {
        int32_t best = 0, distance = 0;
        if (at + MIN <= length) {
            uint32_t slot = word(in + at) * 2654435761u >> 18;
            int32_t other = head[slot];
            for (int tries = 8; tries-- && at - other < WINDOW; other = chain[other & (WINDOW - 1)]) {
                int32_t same = 0;
                while (same < MAX && at + same < length && in[other + same] == in[at + same]) same++;
                if (same > best) { best = same; distance = at - other; }
            }
            chain[at & (WINDOW - 1)] = head[slot];
            head[slot] = at;
        }
        if (best < MIN) { literals++; at++; best = 0; }
        if (literals && (best || literals == 127 || at == length)) {
            *out++ = (uint8_t)(literals - 1);
            memcpy(out, in + at - literals, (size_t)literals);
            out += literals;
            literals = 0;
        }
        if (best) {
            *out++ = 255;
            *out++ = (uint8_t)(best - MIN);
            *out++ = (uint8_t)distance;
            *out++ = (uint8_t)(distance >> 8);
            at += best;
        }
    }
    return out;
}

__attribute__((noinline)) static uint8_t *expand(const uint8_t *in, const uint8_t *end, uint8_t *out) {
    while (in < end) {
        uint8_t code = *in++;
        if (code == 255) {
            int32_t length = in[0] + MIN;
            const uint8_t *from = out - (in[1] | in[2] << 8);
            in += 3;
            while (length--) *out++ = *from++;
        } else {
            for (int32_t length = code + 1; length--;) *out++ = *in++;
        }
    }
    return out;
}

int main(int argc, char **argv) {
    static const char *const words[] = {"module ", "memory ", "the ", "table ", "of a ", "global ", "function ", "import "};
    int length = size_argument(argc, argv, 300000);
    uint8_t *text = malloc(length + 16), *packed = malloc(length * 2), *back = malloc(length + 16);
    for (int at = 0; at < length;) {
        uint32_t number = random_number();
        const char *next = words[number & 7];
        while (*next && at < length) text[at++] = (uint8_t)*next++;
        if (number >> 28 == 0 && at < length) text[at++] = (uint8_t)(number >> 8);
    }
    uint32_t sum = 0;
    for (int i = 0; i < 20; i++) {
        text[i] ^= 1;
        uint8_t *end = compress(text, length, packed);
        if (expand(packed, end, back) != back + length || memcmp(text, back, (size_t)length)) abort();
        sum = sum * 31 + (uint32_t)(end - packed);
        for (uint8_t *at = packed; at < end; at++) sum = sum * 33 ^ *at;
    }
    print_number(sum);
    return 0;
}
