int nowhere_to_be_found(int);

int use(int which) {
  return which ? nowhere_to_be_found(which) : 5;
}
