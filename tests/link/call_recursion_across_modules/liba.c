unsigned deeper(unsigned depth, unsigned (*down)(unsigned)) {
  volatile unsigned on_stack[4] = {depth, depth, depth, depth};
  unsigned result = depth ? down(depth - 1) + 1 : 0;
  return on_stack[1] == depth && on_stack[3] == depth ? result : 1000000;
}
