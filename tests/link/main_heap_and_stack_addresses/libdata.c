char library_data[5000];
