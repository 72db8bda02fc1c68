int deep = 4;
