int shared_data;
