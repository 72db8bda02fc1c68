int side = 2, deep = 3;
