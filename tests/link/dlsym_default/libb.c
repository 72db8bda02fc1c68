int twice = 3;
