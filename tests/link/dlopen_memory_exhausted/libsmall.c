int value = 3;
