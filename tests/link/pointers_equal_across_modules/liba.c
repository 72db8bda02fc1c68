// link: -lb
typedef void (*function)(void);
void of_main(void), of_b(void);

void of_a(void) {
}

const function in_data_of_a[3] = {of_main, of_a, of_b};

function a_takes(int which) {
  return in_data_of_a[which];
}
