// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the pure functions of bpf/ in the kernel, one table row per call: a
 * cgroup program cannot be test-run, a syscall program can. Never attached to anything.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "glob.h"
#include "paths.h"
#include "redirect.h"
#include "row.h"

char LICENSE[] SEC("license") = "GPL";

static char glob[SALLYPORT_GLOB_BYTES];
static char path[SALLYPORT_CGROUP_PATH_BYTES];
static struct glob_state glob_work;

static __always_inline int unit_matches(void)
{
	struct path_parts parts = { .path = path };

	split_path(&parts);
	return parts.in_slices && glob_matches(glob, path, parts.leaf, &glob_work);
}

SEC("syscall")
int decide_row(struct long_row *context)
{
	struct unix_path name = {};
	struct row row;

	__builtin_memcpy(&row, &context->row, sizeof(row));
	__builtin_memcpy(glob, context->glob, sizeof(context->glob));
	__builtin_memcpy(path, context->path, sizeof(context->path));
	asm volatile("" ::
			     : "memory"); /* the context itself cannot be read at an offset that
					     varies */
	switch (row.question) {
	case ROW_DECIDE:
		decide(&row.flow, row.has_exact ? &row.exact : 0, row.has_any ? &row.any : 0,
		       &row.verdict);
		break;
	case ROW_SOCKET_KIND:
		row.answer = socket_kind_allowed(row.numbers[0], row.numbers[1], row.numbers[2]);
		break;
	case ROW_PORT:
		row.answer = port_allowed(row.numbers[0], row.numbers[1]);
		break;
	case ROW_PACKET:
		row.answer = packet_allowed(row.numbers[0], row.numbers[1], row.numbers[2],
					    row.numbers[3]);
		break;
	case ROW_PIN:
		row.answer = pin_unspecified(&row.flow.address);
		break;
	case ROW_LOOPBACK:
		row.answer = is_loopback(&row.flow.address);
		break;
	case ROW_RAISES:
		row.answer = raises_admission(row.numbers[0], row.numbers[1]);
		break;
	case ROW_GLOB:
		row.answer = glob_matches(glob, path, 0, &glob_work);
		break;
	case ROW_UNIT:
		row.answer = unit_matches();
		break;
	case ROW_CLIMBS:
		bpf_probe_read_kernel(name.bytes, SALLYPORT_UNIX_PATH_BYTES, path);
		row.answer = climbs(&name);
		break;
	}
	__builtin_memcpy(&context->row, &row, sizeof(row));
	return 0;
}
