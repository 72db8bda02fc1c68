// link: -ltrap
int value = 1;
