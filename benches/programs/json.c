/* Writes a JSON document, then reads it token by token and checks its nesting:
   byte loads, a switch on characters, short branches. */
#include "guest.h"

enum kind { OPEN, CLOSE, COLON, COMMA, STRING, NUMBER, WORD, END, BAD };

static char *document, *end;

static void put(const char *text) {
    while (*text) *end++ = *text++;
}

static void put_number(uint32_t number) {
    char text[12], *at = text + 11;
    *at = 0;
    do *--at = (char)('0' + number % 10); while (number /= 10);
    put(at);
}

static void put_value(int depth) {
    static const char *const words[] = {"true", "false", "null"};
    uint32_t choice = random_number() % (depth > 0 ? 8 : 4);
    if (choice < 2) { put_number(random_number()); if (choice) { put("."); put_number(random_number() % 1000); put("e-3"); } }
    else if (choice == 2) put(words[random_number() % 3]);
    else if (choice == 3) { put("\"the quick brown \\\"fox\\\" \\n"); put_number(random_number()); put("\""); }
    else {
        int object = choice & 1;
        put(object ? "{ " : "[");
        for (uint32_t i = 0, n = random_number() % 7; i < n; i++) {
            if (i) put(", ");
            if (object) { put("\"key"); put_number(i); put("\": "); }
            put_value(depth - 1);
        }
        put(object ? " }" : "]");
    }
}

static const char *at;
static uint64_t value;

__attribute__((noinline)) static enum kind next_token(void) {
    for (;;) {
        char c = *at++;
        switch (c) {
        case ' ': case '\n': case '\t': case '\r': continue;
        case 0: at--; return END;
        case '{': case '[': value = (uint64_t)c; return OPEN;
        case '}': case ']': value = (uint64_t)c; return CLOSE;
        case ':': return COLON;
        case ',': return COMMA;
        case '"':
            value = 14695981039346656037u;
            for (;;) {
                c = *at++;
                if (c == '"') return STRING;
                if (c == '\\') {
                    c = *at++;
                    switch (c) { case 'n': c = '\n'; break; case 't': c = '\t'; break; case '"': case '\\': break; default: return BAD; }
                }
                if (!c) return BAD;
                value = (value ^ (uint8_t)c) * 1099511628211u;
            }
        case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': {
            int negative = c == '-', scale = 0;
            value = negative ? 0 : (uint64_t)(c - '0');
            while (*at >= '0' && *at <= '9') value = value * 10 + (uint64_t)(*at++ - '0');
            if (*at == '.') for (at++; *at >= '0' && *at <= '9'; at++, scale--) value = value * 10 + (uint64_t)(*at - '0');
            if (*at == 'e') { at++; int down = *at == '-'; at += down; int e = 0; while (*at >= '0' && *at <= '9') e = e * 10 + (*at++ - '0'); scale += down ? -e : e; }
            value ^= (uint64_t)(uint32_t)scale << 32 ^ (uint64_t)negative << 63;
            return NUMBER;
        }
        default:
            value = 0;
            for (at--; *at >= 'a' && *at <= 'z'; at++) value = value << 8 ^ (uint8_t)*at;
            return value ? WORD : BAD;
        }
    }
}

int main(int argc, char **argv) {
    int length = size_argument(argc, argv, 250000);
    document = end = malloc(2 << 20);
    put("[");
    while (end < document + length) { put_value(5); put(",\n"); }
    put("0]");
    *end = 0;
    uint64_t sum = 0, tokens = 0;
    char open[64];
    for (int i = 0; i < 80; i++) {
        int depth = 0;
        at = document;
        for (enum kind kind; (kind = next_token()) != END; tokens++) {
            if (kind == BAD || depth > 60) abort();
            if (kind == OPEN) open[depth++] = (char)(value + 2);
            if (kind == CLOSE && (depth-- == 0 || open[depth] != (char)value)) abort();
            if (kind >= STRING) sum = (sum << 7 | sum >> 57) ^ value;
        }
        if (depth) abort();
    }
    print_number(tokens);
    print_number(sum);
    return 0;
}
