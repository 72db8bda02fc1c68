// name: sub/libhelp.so
int help(void) {
  return 40;
}
