// SPDX-License-Identifier: GPL-2.0
/* Reads rows (row.h) from stdin, has the kernel decide each, writes them to stdout. */
#include <bpf/bpf.h>
#include <linux/types.h>
#include <stdio.h>

#include "redirect.h"
#include "row.h"
#include "decisions.skel.h"

int main(void)
{
	struct decisions_bpf *object = decisions_bpf__open_and_load();
	struct long_row row;

	if (!object) {
		perror("load decisions.bpf.o");
		return 1;
	}
	while (fread(&row, sizeof(row), 1, stdin) == 1) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &row, .ctx_size_in = sizeof(row));
		int error = bpf_prog_test_run_opts(bpf_program__fd(object->progs.decide_row), &run);

		if (error) {
			perror("BPF_PROG_TEST_RUN");
			return 1;
		}
		fwrite(&row, sizeof(row), 1, stdout);
	}
	decisions_bpf__destroy(object);
	return 0;
}
