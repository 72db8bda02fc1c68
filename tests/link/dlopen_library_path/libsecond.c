// name: second/libsecond.so
int value = 22;
