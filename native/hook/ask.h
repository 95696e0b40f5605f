// SPDX-License-Identifier: Apache-2.0
/* Asks the daemon about one container, and the decision it left behind when it does not answer. Decides nothing. */
#ifndef SALLYPORT_HOOK_ASK_H
#define SALLYPORT_HOOK_ASK_H

#include <stddef.h>

/* What runtimes say of a container is a few KiB; the daemon takes no larger request. */
#define STATE_BYTES_MAX (512 * 1024)
#define PATH_BYTES_MAX 4096
#define MESSAGE_BYTES_MAX 2048

/* From hook.conf beside the program: "name=value" lines that `sallyport hooks install` wrote. */
struct Settings {
  char socket[PATH_BYTES_MAX];    /* the daemon's api.sock */
  char undecided[PATH_BYTES_MAX]; /* a program that knows which containers are agents; absent: none is */
  char runtime[PATH_BYTES_MAX];   /* the real runc, for sallyport-runc */
};

/* False when the file is not there, not root's, or damaged; `why` says which. */
int read_settings(struct Settings* settings, char* why, size_t why_bytes);

/*
 * Whether this container may start. `state` is the OCI state as JSON. If not, `why` is a sentence for a person.
 * Never takes longer than 15 seconds. Source: OCI runtime-spec, "State".
 */
int may_start(const struct Settings* settings, const char* state, size_t state_bytes, char* why, size_t why_bytes);

/* Reads all of a descriptor. Returns the number of bytes, or -1 when there are more than fit, or on an error. */
long read_all(int fd, char* buffer, size_t bytes);

#endif
