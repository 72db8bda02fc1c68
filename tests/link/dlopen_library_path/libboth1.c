// name: first/libboth.so
int value = 1;
