/* SPDX-License-Identifier: GPL-2.0 */
/* Paths of Unix sockets, as pure functions on their bytes. Never follows a link. */
#ifndef SALLYPORT_PATHS_H
#define SALLYPORT_PATHS_H

#include "shared.h"

struct unix_path {
	char bytes[SALLYPORT_UNIX_PATH_BYTES +
		   4]; /* NUL to its end; an abstract name begins with one */
	__u32 length; /* without a closing NUL; 0: cannot be judged */
	__u32 climbing;
};

static long climb_step(__u32 at, struct unix_path *path)
{
	if (at > SALLYPORT_UNIX_PATH_BYTES)
		return 1;
	if (path->bytes[at] != '/' || path->bytes[at + 1] != '.' || path->bytes[at + 2] != '.')
		return 0;
	if (path->bytes[at + 3] != '/' && path->bytes[at + 3])
		return 0;
	path->climbing = 1;
	return 1;
}

/* Has a path from the root a part ".."? Such a one leaves the folder that it seems to be in. */
static __always_inline int climbs(struct unix_path *path)
{
	path->climbing = 0;
	if (path->bytes[0])
		bpf_loop(SALLYPORT_UNIX_PATH_BYTES, climb_step, path, 0);
	return path->climbing;
}

#endif
