// A C library that knows nothing of exceptions.
void through(void (*callback)(int), int kind) { callback(kind); }
