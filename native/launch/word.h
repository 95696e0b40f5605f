// SPDX-License-Identifier: Apache-2.0
// The word that lets the command go: it comes through a pipe once the daemon has tagged this process.
#pragma once
#include <stdbool.h>
#include <stddef.h>

/** Up to this many folders to hide and folders to keep from change. */
enum { WORD_PATHS_MAX = 64 };

struct word {
  bool unix_denied;  // no AF_UNIX sockets: this kernel cannot judge where they go
  size_t hidden_count;
  const char* hidden[WORD_PATHS_MAX];
  size_t fixed_count;
  const char* fixed[WORD_PATHS_MAX];
  char** environment;  // of the command, ready for `environ`; ours is empty and never looked at
};

/**
 * Waits for it. Shape: records, each ended by NUL: "unix=deny" or "unix=allow", "hide=PATH"*, "fix=PATH"*, an empty
 * one, the environment, an empty one, end of file. Without a whole word it ends the process with 125: nobody is left to
 * tell.
 */
void read_word(int fd, struct word* word);
