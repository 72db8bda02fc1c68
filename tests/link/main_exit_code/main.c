// link: -la
int code(void);

int main(void) {
  return code();
}
