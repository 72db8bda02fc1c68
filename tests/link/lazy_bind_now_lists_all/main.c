// link: -la -lb
void missing_in_main(void);
int a(int);

int main(void) {
  if (a(0)) missing_in_main();
  return 0;
}
