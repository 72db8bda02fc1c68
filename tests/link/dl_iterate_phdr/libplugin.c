int plugin_data;
