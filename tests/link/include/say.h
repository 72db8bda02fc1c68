// Printing without a C library: the cases that are not about one do without.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct say_buffer {
  const char *data;
  size_t length;
};

__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int
say_fd_write(int fd, const struct say_buffer *buffers, size_t count, size_t *written);

// Prints text to standard output, with %d (int), %u, %x, %s, %c and %%.
__attribute__((noinline, unused, format(printf, 1, 2))) static void say(const char *format, ...) {
  char text[1024];
  size_t length = 0;
  va_list arguments;
  va_start(arguments, format);
  for (; *format && length < sizeof text - 16; format++) {
    if (*format != '%') {
      text[length++] = *format;
      continue;
    }
    char kind = *++format;
    if (kind == 's') {
      const char *string = va_arg(arguments, const char *);
      for (string = string ? string : "(null)"; *string && length < sizeof text - 16; string++) text[length++] = *string;
    } else if (kind == 'c') {
      text[length++] = (char)va_arg(arguments, int);
    } else if (kind == '%') {
      text[length++] = '%';
    } else {
      unsigned value = va_arg(arguments, unsigned), base = kind == 'x' ? 16 : 10, digits = 0;
      char reversed[16];
      if (kind == 'd' && (int)value < 0) {
        text[length++] = '-';
        value = 0 - value;
      }
      do reversed[digits++] = "0123456789abcdef"[value % base];
      while (value /= base);
      while (digits) text[length++] = reversed[--digits];
    }
  }
  va_end(arguments);
  size_t written;
  struct say_buffer buffer = {text, length};
  say_fd_write(1, &buffer, 1, &written);
}

#ifdef __cplusplus
}
#endif
