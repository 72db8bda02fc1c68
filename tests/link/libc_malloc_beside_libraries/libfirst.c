unsigned char data[200000];
