// SPDX-License-Identifier: Apache-2.0
// The system calls that the command does without, by seccomp: sockets that no cgroup hook sees, and the way to undo it.
#pragma once
#include <stdbool.h>

struct filter {
  bool unix_denied;  // also no AF_UNIX sockets, and no pairs that could be sent elsewhere
  bool scoped;       // Landlock keeps it off other processes; else the calls that reach into them are denied
};

/** Installs it for good. Needs no_new_privs or CAP_SYS_ADMIN. */
void install_filter(const struct filter* filter);
