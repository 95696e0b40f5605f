/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is calling: the agent of a task or of a socket's creator, and the note kept on a
 * socket. Reads the tags; decides nothing.
 */
#ifndef SALLYPORT_CALLER_H
#define SALLYPORT_CALLER_H

#include "maps.h"

struct caller {
	__u64 tag_cgroup_id;
	__u32 agent; /* 0: untagged */
};

static __always_inline int caller_by_cgroup(struct caller *caller, __u64 cgroup_id)
{
	__u32 *agent = bpf_map_lookup_elem(&tags, &cgroup_id);

	if (!agent)
		return 0;
	caller->tag_cgroup_id = cgroup_id;
	caller->agent = *agent;
	return 1;
}

/* The deepest tagged ancestor of the current task's cgroup; the root is never tagged. */
static __always_inline void caller_of_task(struct caller *caller)
{
	caller->tag_cgroup_id = 0;
	caller->agent = 0;
	for (int level = 1; level < SALLYPORT_LEVELS; level++) {
		__u64 cgroup_id = bpf_get_current_ancestor_cgroup_id(level);

		if (!cgroup_id)
			break;
		caller_by_cgroup(caller, cgroup_id);
	}
}

/* A socket that an agent made stays guarded in whoever's hands it is. */
static __always_inline void caller_of_flow(struct caller *caller, struct socket_note *note)
{
	caller_of_task(caller);
	if (!caller->agent && note)
		caller_by_cgroup(caller, note->creator_tag_cgroup_id);
}

static __always_inline int is_quarantined(__u32 agent)
{
	return bpf_map_lookup_elem(&quarantined, &agent) != 0;
}

static __always_inline int is_observed(__u32 agent)
{
	__u64 *until = bpf_map_lookup_elem(&observed, &agent);

	return until && bpf_ktime_get_boot_ns() < *until;
}

/* A deadline was set, and it has passed. */
static __always_inline int is_silent(void)
{
	__u32 zero = 0;
	__u64 *deadline = bpf_map_lookup_elem(&pulse, &zero);

	return deadline && *deadline && bpf_ktime_get_boot_ns() > *deadline;
}

static __always_inline __u16 listener_port_in(__u64 netns_cookie)
{
	__u32 *port = bpf_map_lookup_elem(&listeners, &netns_cookie);

	return port ? *port : 0;
}

#endif
