/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tags cgroups in the moment they are made. Runs for every new cgroup of the host with
 * interrupts off, so it does little; the globs are in glob.h.
 */
#ifndef SALLYPORT_BIRTHS_H
#define SALLYPORT_BIRTHS_H

#include <bpf/bpf_core_read.h>

#include "caller.h"
#include "glob.h"
#include "report.h"

/*
 * What the walk over the rules has found so far lies here too: Linux 6.1's verifier looks at the
 * walk's body once, takes the first values on the stack for the only ones, and removes what
 * compares them.
 */
struct birth_work {
	char path[SALLYPORT_CGROUP_PATH_BYTES];
	struct glob_state glob;
	__u32 agent;
	__u32 order; /* of the rule that matched */
};

/* Too long for the stack. Interrupts are off, so one per processor is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct birth_work);
} birth_work SEC(".maps");

struct newborn {
	struct path_parts parts;
	struct birth_work *work;
};

static long try_birth(void *map, const struct sallyport_birth *birth,
		      const struct sallyport_birth_value *value, struct newborn *newborn)
{
	__u32 from = 0;

	if (birth->kind == SALLYPORT_BIRTH_UNIT) {
		if (!newborn->parts.in_slices)
			return 0;
		from = newborn->parts.leaf;
	}
	if (newborn->work->agent && value->order >= newborn->work->order)
		return 0;
	if (!glob_matches(birth->glob, newborn->parts.path, from, &newborn->work->glob))
		return 0;
	newborn->work->agent = value->agent;
	newborn->work->order = value->order;
	return 0;
}

/* Is one of the ancestors tagged? Then the new cgroup is, too, without a tag of its own. */
static __always_inline int inherits_tag(struct cgroup *cgroup)
{
	int depth = BPF_CORE_READ(cgroup, level);

	for (int level = 1; level < SALLYPORT_LEVELS; level++) {
		struct cgroup *ancestor = 0;
		__u64 cgroup_id;

		if (level >= depth)
			break;
		bpf_core_read(&ancestor, sizeof(ancestor), &cgroup->ancestors[level]);
		cgroup_id = BPF_CORE_READ(ancestor, kn, id);
		if (bpf_map_lookup_elem(&tags, &cgroup_id))
			return 1;
	}
	return 0;
}

static __always_inline int tag_newborn(struct cgroup *cgroup, const char *path)
{
	struct newborn newborn = {};
	struct caller caller;
	__u64 cgroup_id;
	__u32 agent;
	__u32 zero = 0;
	struct birth_work *work = bpf_map_lookup_elem(&birth_work, &zero);

	/* Only the hierarchy of v2 has the number 0. */
	if (!work || BPF_CORE_READ(cgroup, root, hierarchy_id))
		return 0;
	caller_of_task(&caller);
	work->agent = 0;
	if (caller.agent) {
		/* An agent does not choose who it is; what it makes elsewhere is its own. */
		work->agent = inherits_tag(cgroup) ? 0 : caller.agent;
	} else {
		if (bpf_probe_read_kernel_str(work->path, SALLYPORT_CGROUP_PATH_BYTES, path) < 0)
			return 0;
		newborn.parts.path = work->path;
		newborn.work = work;
		split_path(&newborn.parts);
		bpf_for_each_map_elem(&births, try_birth, &newborn, 0);
	}
	agent = work->agent;
	if (!agent)
		return 0;
	cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	if (bpf_map_update_elem(&tags, &cgroup_id, &agent, BPF_ANY)) {
		count(SALLYPORT_COUNT_DENIED);
		report_birth(SALLYPORT_REASON_NO_STORAGE, agent, cgroup_id);
	} else {
		report_birth(SALLYPORT_REASON_REGISTERED, agent, cgroup_id);
	}
	return 0;
}

#endif
