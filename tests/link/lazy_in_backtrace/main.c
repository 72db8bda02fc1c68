// link: -la
int fail(int);

int main(void) {
  return fail(1) + 1;
}
