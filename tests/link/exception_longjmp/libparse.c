// compiler: 22
// lld: 22
void parse(const char *text, void (*refuse)(int)) {
  int open = 0, at = 0;
  for (; text[at]; at++) {
    open += text[at] == '(' ? 1 : -1;
    if (open < 0) refuse(at + 1);
  }
  if (open) refuse(at + 1);
}
