// link: -lbelow
int side = 1;
