// SPDX-License-Identifier: Apache-2.0
// The word that lets the command go.
#include "word.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

// Above what execve(2) takes as environment with the usual 8 MiB of stack.
static const size_t WORD_BYTES_MAX = 4 << 20;
static const char REMEDY[] = "Start commands with: sallyport run --as AGENT -- CMD";

static _Noreturn void refuse_word(const char* why) {
  fail("RUN_WORD_BROKEN", REMEDY, "Cannot start the command: the word that lets it go %s", why);
}

/** All that comes until the other side closes. */
static char* read_all(int fd, size_t* length) {
  size_t room = 1 << 16;
  char* bytes = malloc(room);
  *length = 0;
  while (bytes != NULL) {
    ssize_t count = read(fd, bytes + *length, room - *length);
    if (count == 0) return bytes;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse_word(strerror(errno));
    *length += (size_t)count;
    if (*length > WORD_BYTES_MAX) refuse_word("is too long");
    if (*length == room) bytes = realloc(bytes, room *= 2);
  }
  refuse_word("does not fit into memory");
}

static void note_path(const char** paths, size_t* count, const char* path) {
  if (path[0] != '/' || *count == WORD_PATHS_MAX) refuse_word("names too many paths, or one that is not whole");
  paths[(*count)++] = path;
}

static void note_order(struct word* word, const char* record, bool* unix_known) {
  if (strncmp(record, "hide=", 5) == 0) {
    note_path(word->hidden, &word->hidden_count, record + 5);
  } else if (strncmp(record, "fix=", 4) == 0) {
    note_path(word->fixed, &word->fixed_count, record + 4);
  } else if (strcmp(record, "unix=deny") == 0 || strcmp(record, "unix=allow") == 0) {
    word->unix_denied = record[5] == 'd';
    *unix_known = true;
  } else {
    refuse_word("has an order that this launcher does not know");
  }
}

void read_word(int fd, struct word* word) {
  size_t length = 0;
  char* at = read_all(fd, &length);
  char* end = at + length;
  // Cut short, or never said: `run` was ended, and says so itself if it lives.
  if (length < 2 || end[-1] != '\0' || end[-2] != '\0') _exit(125);
  bool unix_known = false;
  for (; at < end && *at != '\0'; at += strlen(at) + 1) note_order(word, at, &unix_known);
  if (!unix_known) refuse_word("says nothing of Unix sockets");
  at++;
  size_t variables = 0;
  for (char* scan = at; scan < end && *scan != '\0'; scan += strlen(scan) + 1) variables++;
  word->environment = calloc(variables + 1, sizeof(char*));
  if (word->environment == NULL) refuse_word("does not fit into memory");
  for (size_t index = 0; index < variables; index++, at += strlen(at) + 1) {
    if (strchr(at, '=') == NULL) refuse_word("has a variable without a value");
    word->environment[index] = at;
  }
  if (at + 1 != end) _exit(125);
}
