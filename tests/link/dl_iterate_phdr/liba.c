int a_data;
