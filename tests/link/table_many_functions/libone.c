typedef unsigned (*function)(unsigned);

static unsigned only(unsigned x) {
  return x + 1;
}

function one(void) {
  return only;
}
