// link: -lleft -lright
int of_top = 0;
