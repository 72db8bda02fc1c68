int more = 4;
