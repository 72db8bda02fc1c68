int number = 4;
const char *name = "four";
