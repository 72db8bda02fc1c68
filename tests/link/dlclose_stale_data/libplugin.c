int value = 5;
