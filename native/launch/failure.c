// SPDX-License-Identifier: Apache-2.0
// Why the command is not started.
#include "failure.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

// As sh(1), env(1) and nohup(1) have it: the one who starts failed, not the command.
static const int EXIT_NOT_STARTED = 125;

static bool in_json = false;

void fail_in_json(void) {
  in_json = true;
}

/** Control characters spelled out, for a terminal and for JSON alike. */
static void write_printable(const char* text) {
  for (; *text != '\0'; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte < 0x20 || byte == 0x7f) {
      fprintf(stderr, in_json ? "\\u%04x" : "\\u{%x}", byte);
    } else {
      if (in_json && (byte == '"' || byte == '\\')) fputc('\\', stderr);
      fputc(byte, stderr);
    }
  }
}

void fail(const char* code, const char* remedy, const char* format, ...) {
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  fprintf(stderr, in_json ? "{\"error\":{\"code\":\"%s\",\"message\":\"" : "sallyport: %s: ", code);
  write_printable(message);
  fputs(in_json ? "\",\"remedy\":\"" : "\nremedy: ", stderr);
  write_printable(remedy);
  fputs(in_json ? "\"}}\n" : "\n", stderr);
  exit(EXIT_NOT_STARTED);
}
