/* SPDX-License-Identifier: GPL-2.0 */
/* Counters and the ring buffer. Reporting never changes what was decided. */
#ifndef SALLYPORT_REPORT_H
#define SALLYPORT_REPORT_H

#include "maps.h"

static __always_inline void count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		*value += 1;
}

/* Where something happened: what the event says besides who and why. */
struct place {
	struct sallyport_address address;
	__u64 netns_cookie; /* of the task */
	__u16 port;
	__u16 protocol;
	__u8 socket_family;
	__u8 socket_type;
	__u8 observed; /* it passed all the same */
};

static __always_inline void fill_event(struct sallyport_event *event, __u8 kind, __u8 reason,
				       __u32 agent, const struct place *place)
{
	/* A place of constants would be copied from .rodata, and clang 14 then misorders the
	 * stores. */
	asm volatile("" : : "r"(place) : "memory");
	__builtin_memset(event, 0, sizeof(*event));
	event->boot_ns = bpf_ktime_get_boot_ns();
	event->netns_cookie = place->netns_cookie;
	event->address = place->address;
	event->port = place->port;
	event->protocol = place->protocol;
	event->socket_family = place->socket_family;
	event->socket_type = place->socket_type;
	event->observed = place->observed;
	event->kind = kind;
	event->reason = reason;
	event->agent = agent;
}

static __always_inline void fill_task(struct sallyport_event *event)
{
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(event->comm, sizeof(event->comm));
}

static __always_inline struct sallyport_event *event_of(__u8 kind, __u8 reason, __u32 agent,
							const struct place *place)
{
	struct sallyport_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count(SALLYPORT_COUNT_EVENTS_LOST);
		return 0;
	}
	fill_event(event, kind, reason, agent, place);
	return event;
}

/* For hooks that run in the calling task. */
static __always_inline void report_task(__u8 kind, __u8 reason, __u32 agent,
					const struct place *place)
{
	struct sallyport_event *event = event_of(kind, reason, agent, place);

	if (!event)
		return;
	fill_task(event);
	bpf_ringbuf_submit(event, 0);
}

/*
 * For packets and socket callbacks: the current task is whoever was interrupted, so the
 * socket's note says who it was.
 */
static __always_inline void report_socket(__u8 kind, __u8 reason, struct socket_note *note,
					  __u64 cgroup_id, const struct place *place)
{
	struct sallyport_event *event = event_of(kind, reason, note ? note->agent : 0, place);

	if (!event)
		return;
	event->cgroup_id = cgroup_id;
	if (note) {
		event->pid = note->origin.pid;
		event->uid = note->origin.uid;
		__builtin_memcpy(event->comm, note->origin.comm, sizeof(event->comm));
	}
	bpf_ringbuf_submit(event, 0);
}

/* A new cgroup; the task is the one that made it. */
static __always_inline void report_birth(__u8 reason, __u32 agent, __u64 cgroup_id)
{
	struct place place = {};
	struct sallyport_event *event = event_of(SALLYPORT_KIND_BORN, reason, agent, &place);

	if (!event)
		return;
	fill_task(event);
	event->cgroup_id = cgroup_id;
	bpf_ringbuf_submit(event, 0);
}

#endif
