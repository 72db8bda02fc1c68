extern int no_such_data;

int use(int which) {
  return which ? no_such_data : 0;
}
