// name: third/libsecond.so
int value = 32;
