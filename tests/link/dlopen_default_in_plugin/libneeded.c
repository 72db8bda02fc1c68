int needed = 3;
