// name: second/libboth.so
int value = 2;
