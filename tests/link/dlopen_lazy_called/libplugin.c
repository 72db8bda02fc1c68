int no_such_function(int);

int use(int which) {
  return which ? no_such_function(which) : 3;
}
