unsigned char data[100000];
