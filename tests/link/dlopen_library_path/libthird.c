// name: third/libthird.so
int value = 33;
