/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Globs over cgroup paths: `*` is any run of characters but "/", all else stands for
 * itself. Pure but for bpf_loop(), which bounds the work. Never allocates, never recurses.
 */
#ifndef SALLYPORT_GLOB_H
#define SALLYPORT_GLOB_H

#include "shared.h"

/*
 * Since a star does not cross "/", going back to the last one is enough: an earlier one could
 * only leave less to it. Names in practice take some hundred steps; one made to take more is
 * taken to match, because guarding too much is the safe mistake.
 */
#define GLOB_STEPS 8192

/* Keeps the mask below: the compiler would drop what it can prove, and the verifier could not. */
#define BOUNDED(index, size)                                                                       \
	({                                                                                         \
		__u64 bounded = (index);                                                           \
		asm volatile("%0 &= %1" : "+r"(bounded) : "i"((size)-1));                          \
		bounded;                                                                           \
	})

/* Lies in a map: the verifier would follow numbers on the stack through every step. */
struct glob_state {
	__u32 glob_at;
	__u32 text_at;
	__u32 star_glob; /* behind the last star; 0: none yet */
	__u32 star_text; /* where what it stands for ends so far */
	__u32 refused;
};

struct glob_match {
	const char *glob; /* SALLYPORT_GLOB_BYTES, ends in NUL */
	const char *text; /* SALLYPORT_CGROUP_PATH_BYTES, ends in NUL */
	struct glob_state *state;
};

static long glob_step(__u32 step, struct glob_match *match)
{
	struct glob_state *state = match->state;
	char wanted = match->glob[BOUNDED(state->glob_at, SALLYPORT_GLOB_BYTES)];
	char found = match->text[BOUNDED(state->text_at, SALLYPORT_CGROUP_PATH_BYTES)];
	char skipped;

	if (wanted == '*') {
		state->glob_at += 1;
		state->star_glob = state->glob_at;
		state->star_text = state->text_at;
		return 0;
	}
	if (wanted == found) {
		if (!found)
			return 1;
		state->glob_at += 1;
		state->text_at += 1;
		return 0;
	}
	skipped = match->text[BOUNDED(state->star_text, SALLYPORT_CGROUP_PATH_BYTES)];
	if (!state->star_glob || !skipped || skipped == '/') {
		state->refused = 1;
		return 1;
	}
	state->star_text += 1;
	state->text_at = state->star_text;
	state->glob_at = state->star_glob;
	return 0;
}

/* Does the whole text from `from` on match? */
static __always_inline int glob_matches(const char *glob, const char *text, __u32 from,
					struct glob_state *state)
{
	struct glob_match match = { .glob = glob, .text = text, .state = state };

	__builtin_memset(state, 0, sizeof(*state));
	state->text_at = from;
	bpf_loop(GLOB_STEPS, glob_step, &match, 0);
	return !state->refused;
}

/* What a path says about who made it. */
struct path_parts {
	const char *path;
	__u32 leaf; /* where the last part begins */
	__u32 in_slices; /* every part above it ends in ".slice", and the first is not user.slice */
};

static __always_inline int ends_in(const char *path, __u32 end, const char *suffix, int bytes)
{
	if (end < bytes)
		return 0;
	for (int i = 0; i < bytes; i++)
		if (path[BOUNDED(end - bytes + i, SALLYPORT_CGROUP_PATH_BYTES)] != suffix[i])
			return 0;
	return 1;
}

static long part_step(__u32 at, struct path_parts *parts)
{
	char found = parts->path[BOUNDED(at, SALLYPORT_CGROUP_PATH_BYTES)];

	if (!found)
		return 1;
	if (found != '/')
		return 0;
	if (at > 0 && !ends_in(parts->path, at, ".slice", 6))
		parts->in_slices = 0;
	if (parts->leaf == 1 && ends_in(parts->path, at, "/user.slice", 11) && at == 11)
		parts->in_slices = 0;
	parts->leaf = at + 1;
	return 0;
}

static __always_inline void split_path(struct path_parts *parts)
{
	parts->leaf = 0;
	parts->in_slices = 1;
	bpf_loop(SALLYPORT_CGROUP_PATH_BYTES, part_step, parts, 0);
}

#endif
