int value = 8;
