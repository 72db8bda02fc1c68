int of_other;
