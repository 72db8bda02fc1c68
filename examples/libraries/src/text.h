/* libtext.so: what the program and its plugins share. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Prints a line. */
void print(const char *line);
/* Lines printed so far, by whomever. */
extern int lines;
/* A new string: `text` with each byte changed. The next call takes it away. */
const char *changed(const char *text, char (*change)(char));

#ifdef __cplusplus
}
#endif
