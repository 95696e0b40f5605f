// SPDX-License-Identifier: GPL-2.0
/*
 * Unix sockets: an agent reaches none but those that a door opens. An object of its own,
 * because the hooks exist from Linux 6.7 on. Judges the calling task, since a Unix socket
 * has no note. Socket pairs and descriptors passed along are not connects and stay.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "caller.h"
#include "paths.h"
#include "report.h"

char LICENSE[] SEC("license") = "GPL";

#define SOCK_REFUSE 0
#define SOCK_PROCEED 1
#define FAMILY_UNIX 1

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym;

/*
 * The address as the agent gave it; length 0 if it cannot be judged. A path ends at its first
 * NUL, as for the kernel; an abstract name is all of its bytes.
 */
static __always_inline void read_path(struct bpf_sock_addr *ctx, struct unix_path *path)
{
	struct bpf_sock_addr_kern *kern = bpf_cast_to_kern_ctx(ctx);
	const char *from = (const char *)kern->uaddr + sizeof(__u16); /* behind sun_family */
	__u32 bytes = kern->uaddrlen - sizeof(__u16);
	char first = 0;
	long read;

	if (bytes - 1 >= SALLYPORT_UNIX_PATH_BYTES || bpf_probe_read_kernel(&first, 1, from))
		return;
	if (first) {
		read = bpf_probe_read_kernel_str(path->bytes, bytes + 1, from);
		path->length = read > 1 ? read - 1 : 0;
	} else if (bytes > 1 && !bpf_probe_read_kernel(path->bytes, bytes, from)) {
		path->length = bytes;
	}
}

/* In a mount namespace of its own making, an agent decides what a path leads to. */
static __always_inline int paths_are_known(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 number = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);

	return bpf_map_lookup_elem(&mount_namespaces, &number) != 0;
}

static __always_inline int has_door(struct unix_path *path)
{
	struct sallyport_door_key key = { .prefix_bits = SALLYPORT_DOOR_BITS,
					  .length = path->length };

	if (!path->length)
		return 0;
	if (path->bytes[0] && !paths_are_known())
		return 0;
	__builtin_memcpy(key.path, path->bytes, sizeof(key.path));
	if (bpf_map_lookup_elem(&doors, &key))
		return 1;
	key.length = 0;
	return bpf_map_lookup_elem(&doors, &key) && !climbs(path);
}

static __always_inline void report_unix(__u8 reason, __u32 agent, const struct place *place,
					const struct unix_path *path)
{
	struct sallyport_unix_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count(SALLYPORT_COUNT_EVENTS_LOST);
		return;
	}
	fill_event(&event->event, SALLYPORT_KIND_UNIX, reason, agent, place);
	fill_task(&event->event);
	event->event.path_bytes = path->length;
	__builtin_memcpy(event->path, path->bytes, sizeof(event->path));
	__builtin_memset(event->padding, 0, sizeof(event->padding));
	bpf_ringbuf_submit(event, 0);
}

static __always_inline int guard_path(struct bpf_sock_addr *ctx)
{
	struct place place = { .socket_family = FAMILY_UNIX };
	struct unix_path path = {};
	__u8 reason = SALLYPORT_REASON_DOOR;
	struct caller caller;
	int passes = 1;

	caller_of_task(&caller);
	if (!caller.agent)
		return SOCK_PROCEED;
	place.socket_type = ctx->type;
	place.netns_cookie = bpf_get_netns_cookie(ctx);
	read_path(ctx, &path);
	if (is_quarantined(caller.agent)) {
		reason = SALLYPORT_REASON_QUARANTINED;
		passes = 0;
	} else if (!has_door(&path)) {
		reason = SALLYPORT_REASON_NO_DOOR;
		passes = place.observed = is_observed(caller.agent);
	}
	count(passes ? SALLYPORT_COUNT_ALLOWED : SALLYPORT_COUNT_DENIED);
	report_unix(reason, caller.agent, &place, &path);
	return passes ? SOCK_PROCEED : SOCK_REFUSE;
}

SEC("cgroup/connect_unix")
int sallyport_connect_unix(struct bpf_sock_addr *ctx)
{
	return guard_path(ctx);
}

SEC("cgroup/sendmsg_unix")
int sallyport_sendmsg_unix(struct bpf_sock_addr *ctx)
{
	return guard_path(ctx);
}
