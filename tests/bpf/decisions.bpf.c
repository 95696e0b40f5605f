// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the decisions of bpf/redirect.h in the kernel, one table row per call: a
 * cgroup program cannot be test-run, a syscall program can. Never attached to anything.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "redirect.h"
#include "row.h"

char LICENSE[] SEC("license") = "GPL";

SEC("syscall")
int decide_row(struct row *context)
{
	struct row row;

	__builtin_memcpy(&row, context, sizeof(row));
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
		row.answer = packet_allowed(row.numbers[0], row.numbers[1], row.numbers[2]);
		break;
	case ROW_PIN:
		row.answer = pin_unspecified(&row.flow.address);
		break;
	case ROW_LOOPBACK:
		row.answer = is_loopback(&row.flow.address);
		break;
	}
	__builtin_memcpy(context, &row, sizeof(row));
	return 0;
}
