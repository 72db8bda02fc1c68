// link: -lb
static int value = 8;
int *pointer = &value;
