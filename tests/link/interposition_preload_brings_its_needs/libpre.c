// name: sub/libpre.so
// lld: 22
// link: -Lsub -lhelp --rpath=$ORIGIN
int help(void);

int answer(void) {
  return help() + 2;
}
