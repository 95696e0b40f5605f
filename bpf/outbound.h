/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way of one outbound flow through connect and sendmsg, the same for both families:
 * who calls, what the tables say, the decision, the note on the socket, the event. The
 * programs only read and write the addresses of their family.
 */
#ifndef SALLYPORT_OUTBOUND_H
#define SALLYPORT_OUTBOUND_H

#include "caller.h"
#include "report.h"

#define SOCK_REFUSE 0 /* the call fails with EPERM */
#define SOCK_PROCEED 1

enum hook {
	HOOK_CONNECT,
	HOOK_SENDMSG, /* one datagram: an earlier connect() keeps its admission */
};

/* Where the flow goes; the program writes it back if `changed`. */
struct target {
	struct sallyport_address address;
	__u16 port;
	__u8 changed;
};

static __always_inline struct sallyport_destination *destination_of(const struct flow *flow,
								    __u16 port)
{
	struct sallyport_destination_key key = {
		.prefix_bits = SALLYPORT_KEY_BITS + 128,
		.protocol = flow->protocol,
		.port = port,
		.address = flow->address,
	};

	return bpf_map_lookup_elem(&destinations, &key);
}

/*
 * Does a socket of the same tag listen there? Asked of the kernel's own socket table, so
 * it is true of the very listener that would get the SYN: a wildcard listener of the
 * agent does not cover somebody else's on the exact address, nor v6-only the other family.
 * Loopback only: with IP_FREEBIND anybody may listen on an address of another machine.
 */
static __always_inline int is_own_listener(struct bpf_sock_addr *ctx, const struct flow *flow,
					   __u64 tag_cgroup_id)
{
	struct bpf_sock_tuple tuple = {};
	struct socket_note *note;
	struct bpf_sock *listener;
	int own;

	if (flow->protocol != PROTOCOL_TCP || !is_loopback(&flow->address))
		return 0;
	if (is_ipv4(&flow->address)) {
		__builtin_memcpy(&tuple.ipv4.daddr, &flow->address.bytes[12], 4);
		tuple.ipv4.dport = bpf_htons(flow->port);
		listener = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS,
					     0);
	} else {
		__builtin_memcpy(tuple.ipv6.daddr, flow->address.bytes, 16);
		tuple.ipv6.dport = bpf_htons(flow->port);
		listener = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS,
					     0);
	}
	if (!listener)
		return 0;
	note = bpf_sk_storage_get(&sockets, listener, 0, 0);
	own = note && note->creator_tag_cgroup_id == tag_cgroup_id &&
	      listener->state == BPF_TCP_LISTEN;
	bpf_sk_release(listener);
	return own;
}

static __always_inline void remember_origin(struct socket_note *note, const struct caller *caller,
					    const struct flow *flow, __u32 connection,
					    __u64 netns_cookie)
{
	struct sallyport_origin *origin = &note->origin;

	origin->netns_cookie = netns_cookie;
	origin->cgroup_id = bpf_get_current_cgroup_id();
	origin->tag_cgroup_id = caller->tag_cgroup_id;
	origin->boot_ns = bpf_ktime_get_boot_ns();
	origin->dialled = flow->address;
	origin->dialled_port = flow->port;
	origin->agent = caller->agent;
	origin->connection = connection;
	origin->pid = bpf_get_current_pid_tgid() >> 32;
	origin->uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(origin->comm, sizeof(origin->comm));
}

/*
 * send() on an IPv6 socket that is connected to ::ffff:a.b.c.d comes as a datagram to where
 * connect() was redirected. It is judged by what was dialled.
 */
static __always_inline int is_resent(struct bpf_sock_addr *ctx, const struct flow *flow,
				     const struct socket_note *note)
{
	return ctx->family == FAMILY_INET6 && is_ipv4(&flow->address) && note->redirect_port &&
	       note->redirect_port == flow->listener_port && is_our_listener(flow);
}

static __always_inline int refuse(__u8 reason, __u32 agent, const struct place *place)
{
	count(SALLYPORT_COUNT_DENIED);
	report_task(SALLYPORT_KIND_DENY, reason, agent, place);
	return SOCK_REFUSE;
}

/* Notes an allowed or intercepted flow on its socket and turns the target if it must. */
static __always_inline void admit(struct socket_note *note, const struct caller *caller,
				  const struct flow *flow, const struct verdict *verdict,
				  __u64 netns_cookie, enum hook hook, struct target *target)
{
	note->agent = caller->agent;
	if (hook == HOOK_CONNECT || raises_admission(note->admission, verdict->admission))
		note->admission = verdict->admission;
	if (verdict->action == SALLYPORT_INTERCEPT) {
		remember_origin(note, caller, flow, verdict->connection, netns_cookie);
		note->redirect_port = flow->listener_port;
		to_loopback(&target->address);
		target->port = flow->listener_port;
		target->changed = 1;
	} else if (hook == HOOK_CONNECT) {
		note->redirect_port = 0;
	}
}

static __always_inline struct place place_of(struct bpf_sock_addr *ctx, const struct target *target)
{
	struct place place = {
		.address = target->address,
		.netns_cookie = bpf_get_netns_cookie(ctx),
		.port = target->port,
		.protocol = ctx->protocol,
		.socket_family = ctx->family,
		.socket_type = ctx->type,
	};

	return place;
}

/* Nobody else's traffic is touched, but a stranger must not inherit an origin. */
static __always_inline int guard_stranger(struct bpf_sock_addr *ctx, const struct target *target)
{
	struct flow flow = { .address = target->address, .port = target->port };
	struct place place;

	pin_unspecified(&flow.address);
	if (!is_loopback(&flow.address))
		return SOCK_PROCEED;
	flow.listener_port = listener_port_in(bpf_get_netns_cookie(ctx));
	if (!is_our_listener(&flow))
		return SOCK_PROCEED;
	place = place_of(ctx, target);
	return refuse(SALLYPORT_REASON_OUR_LISTENER, 0, &place);
}

static __always_inline int guard_agent(struct bpf_sock_addr *ctx, struct target *target,
				       enum hook hook, struct caller caller,
				       struct socket_note *note)
{
	struct place place = place_of(ctx, target);
	struct verdict verdict = {};
	struct flow flow = {};

	target->changed = pin_unspecified(&target->address);
	flow.address = target->address;
	flow.port = target->port;
	flow.protocol = ctx->protocol;
	flow.listener_port = listener_port_in(place.netns_cookie);
	if (note && hook == HOOK_SENDMSG && is_resent(ctx, &flow, note)) {
		flow.address = note->origin.dialled;
		flow.port = note->origin.dialled_port;
	}
	flow.quarantined = is_quarantined(caller.agent);
	flow.observed = is_observed(caller.agent);
	flow.silent = is_silent();
	flow.own_listener = is_own_listener(ctx, &flow, caller.tag_cgroup_id);
	decide(&flow, destination_of(&flow, flow.port), destination_of(&flow, 0), &verdict);
	if (verdict.action != SALLYPORT_DENY && !note) {
		note = bpf_sk_storage_get(&sockets, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (!note)
			deny(&verdict, SALLYPORT_REASON_NO_STORAGE);
	}
	if (verdict.action == SALLYPORT_DENY) {
		if (note && hook == HOOK_CONNECT) {
			note->admission = ADMITTED_NOWHERE;
			note->redirect_port = 0;
		}
		return refuse(verdict.reason, caller.agent, &place);
	}
	if (!note) /* cannot be; the verifier does not know */
		return SOCK_REFUSE;
	admit(note, &caller, &flow, &verdict, place.netns_cookie, hook, target);
	if (verdict.action == SALLYPORT_INTERCEPT) {
		count(SALLYPORT_COUNT_REDIRECTED);
		report_task(SALLYPORT_KIND_REDIRECT, verdict.reason, caller.agent, &place);
	} else {
		place.observed = verdict.observed;
		count(SALLYPORT_COUNT_ALLOWED);
		report_task(SALLYPORT_KIND_ALLOW, verdict.reason, caller.agent, &place);
	}
	return SOCK_PROCEED;
}

/* Runs for every connect of the host: what strangers need comes first, and is all they pay for. */
static __always_inline int guard(struct bpf_sock_addr *ctx, struct target *target, enum hook hook)
{
	struct socket_note *note = bpf_sk_storage_get(&sockets, ctx->sk, 0, 0);
	struct caller caller;

	caller_of_flow(&caller, note);
	if (!caller.agent)
		return guard_stranger(ctx, target);
	return guard_agent(ctx, target, hook, caller, note);
}

#endif
