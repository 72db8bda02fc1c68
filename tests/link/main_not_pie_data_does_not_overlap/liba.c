unsigned char library_data[100000];
