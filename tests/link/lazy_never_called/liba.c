int not_there_either(int);

int use(int which) {
  return which ? not_there_either(which) : 5;
}
