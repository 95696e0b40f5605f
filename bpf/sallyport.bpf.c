// SPDX-License-Identifier: GPL-2.0
/*
 * The programs, a few lines each. All are attached once, at the root of the cgroup2 tree, but what
 * runs too often for bystanders: that is attached to each tagged cgroup. Decisions are
 * in redirect.h, the way of a flow in outbound.h, of a packet in packets.h. Unix sockets
 * are in doors.bpf.c, since older kernels have no hook for them.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "outbound.h"
#include "addresses.h"
#include "births.h"
#include "options.h"
#include "packets.h"

char LICENSE[] SEC("license") = "GPL";

/* ---- outbound: connect and unconnected datagrams ----------------------------------- */

static __always_inline int outbound4(struct bpf_sock_addr *ctx, enum hook hook)
{
	struct target target = { .port = user_port(ctx) };
	int answer;

	read4(&target.address, ctx->user_ip4);
	answer = guard(ctx, &target, hook);
	if (answer == SOCK_PROCEED && target.changed)
		write4(ctx, &target.address, target.port);
	return answer;
}

static __always_inline int outbound6(struct bpf_sock_addr *ctx, enum hook hook)
{
	struct target target = { .port = user_port(ctx) };
	int answer;

	READ6(&target.address, ctx, user_ip6);
	answer = guard(ctx, &target, hook);
	if (answer == SOCK_PROCEED && target.changed)
		write6(ctx, &target.address, target.port);
	return answer;
}

SEC("cgroup/connect4")
int sallyport_connect4(struct bpf_sock_addr *ctx)
{
	return outbound4(ctx, HOOK_CONNECT);
}

/* Also ::ffff:a.b.c.d over TCP. */
SEC("cgroup/connect6")
int sallyport_connect6(struct bpf_sock_addr *ctx)
{
	return outbound6(ctx, HOOK_CONNECT);
}

/* Also ::ffff:a.b.c.d sent from an IPv6 socket: the address is an IPv4 one by then. */
SEC("cgroup/sendmsg4")
int sallyport_sendmsg4(struct bpf_sock_addr *ctx)
{
	return outbound4(ctx, HOOK_SENDMSG);
}

SEC("cgroup/sendmsg6")
int sallyport_sendmsg6(struct bpf_sock_addr *ctx)
{
	return outbound6(ctx, HOOK_SENDMSG);
}

/* ---- the agent sees the address that it dialled ------------------------------------ */

/* The note of a redirected socket, if `address` is where the flow was redirected to. */
static __always_inline struct socket_note *redirected(struct bpf_sock_addr *ctx,
						      const struct sallyport_address *address)
{
	struct socket_note *note = bpf_sk_storage_get(&sockets, ctx->sk, 0, 0);

	if (!note || !note->redirect_port || note->redirect_port != user_port(ctx))
		return 0;
	return is_loopback(address) ? note : 0;
}

static __always_inline int restore4(struct bpf_sock_addr *ctx)
{
	struct sallyport_address address;
	struct socket_note *note;

	read4(&address, ctx->user_ip4);
	note = redirected(ctx, &address);
	if (note)
		write4(ctx, &note->origin.dialled, note->origin.dialled_port);
	return SOCK_PROCEED;
}

static __always_inline int restore6(struct bpf_sock_addr *ctx)
{
	struct sallyport_address address;
	struct socket_note *note;

	READ6(&address, ctx, user_ip6);
	note = redirected(ctx, &address);
	if (note)
		write6(ctx, &note->origin.dialled, note->origin.dialled_port);
	return SOCK_PROCEED;
}

SEC("cgroup/getpeername4")
int sallyport_getpeername4(struct bpf_sock_addr *ctx)
{
	return restore4(ctx);
}

SEC("cgroup/getpeername6")
int sallyport_getpeername6(struct bpf_sock_addr *ctx)
{
	return restore6(ctx);
}

/* The source of an answer to a redirected datagram: the last one that the socket sent. */
SEC("cgroup/recvmsg4")
int sallyport_recvmsg4(struct bpf_sock_addr *ctx)
{
	return restore4(ctx);
}

SEC("cgroup/recvmsg6")
int sallyport_recvmsg6(struct bpf_sock_addr *ctx)
{
	return restore6(ctx);
}

/* ---- sockets: which kinds, which ports ---------------------------------------------- */

SEC("cgroup/sock_create")
int sallyport_sock_create(struct bpf_sock *ctx)
{
	__u8 reason = SALLYPORT_REASON_SOCKET_KIND;
	struct place place = {};
	struct caller caller;

	caller_of_task(&caller);
	if (!caller.agent)
		return SOCK_PROCEED;
	place.protocol = ctx->protocol;
	place.socket_family = ctx->family;
	place.socket_type = ctx->type;
	place.netns_cookie = bpf_get_netns_cookie(ctx);
	if (socket_kind_allowed(ctx->family, ctx->type, ctx->protocol)) {
		struct socket_note *note = bpf_sk_storage_get(&sockets, ctx, 0,
							      BPF_SK_STORAGE_GET_F_CREATE);

		if (note) {
			note->creator_tag_cgroup_id = caller.tag_cgroup_id;
			note->agent = caller.agent;
			return SOCK_PROCEED;
		}
		reason = SALLYPORT_REASON_NO_STORAGE;
	} else if (is_observed(caller.agent) && !is_quarantined(caller.agent)) {
		place.observed = 1; /* its packets are judged by the egress filter */
		report_task(SALLYPORT_KIND_SOCKET, reason, caller.agent, &place);
		return SOCK_PROCEED;
	}
	count(SALLYPORT_COUNT_DENIED);
	report_task(SALLYPORT_KIND_SOCKET, reason, caller.agent, &place);
	return SOCK_REFUSE;
}

static __always_inline int guard_port(const struct caller *caller, const struct place *place)
{
	if (!caller->agent || port_allowed(place->port, listener_port_in(place->netns_cookie)))
		return SOCK_PROCEED;
	count(SALLYPORT_COUNT_DENIED);
	report_task(SALLYPORT_KIND_BIND, SALLYPORT_REASON_LISTENER_PORT, caller->agent, place);
	return SOCK_REFUSE;
}

static __always_inline int guard_bind(struct bpf_sock_addr *ctx, struct place *place)
{
	struct caller caller;

	caller_of_flow(&caller, bpf_sk_storage_get(&sockets, ctx->sk, 0, 0));
	place->port = user_port(ctx);
	place->protocol = ctx->protocol;
	place->socket_family = ctx->family;
	place->socket_type = ctx->type;
	place->netns_cookie = bpf_get_netns_cookie(ctx);
	return guard_port(&caller, place);
}

SEC("cgroup/bind4")
int sallyport_bind4(struct bpf_sock_addr *ctx)
{
	struct place place = {};

	read4(&place.address, ctx->user_ip4);
	return guard_bind(ctx, &place);
}

SEC("cgroup/bind6")
int sallyport_bind6(struct bpf_sock_addr *ctx)
{
	struct place place = {};

	READ6(&place.address, ctx, user_ip6);
	return guard_bind(ctx, &place);
}

/* bind() sees port 0 where the kernel chooses; here the choice is known. */
static __always_inline int guard_bound(struct bpf_sock *ctx, struct place *place)
{
	struct caller caller;

	caller_of_task(&caller);
	place->port = ctx->src_port;
	place->protocol = ctx->protocol;
	place->socket_family = ctx->family;
	place->socket_type = ctx->type;
	place->netns_cookie = bpf_get_netns_cookie(ctx);
	return guard_port(&caller, place);
}

SEC("cgroup/post_bind4")
int sallyport_post_bind4(struct bpf_sock *ctx)
{
	struct place place = {};

	read4(&place.address, ctx->src_ip4);
	return guard_bound(ctx, &place);
}

SEC("cgroup/post_bind6")
int sallyport_post_bind6(struct bpf_sock *ctx)
{
	struct place place = {};

	READ6(&place.address, ctx, src_ip6);
	return guard_bound(ctx, &place);
}

/*
 * Attached to each tagged cgroup, like the egress filter. What passes is read by the kernel from
 * the caller's memory as if we were not here: it would cut what is longer than a page.
 */
SEC("cgroup/setsockopt")
int sallyport_setsockopt(struct bpf_sockopt *ctx)
{
	struct place place = { .protocol = ctx->level, .port = ctx->optname };
	struct bpf_sock *sk = ctx->sk;
	struct caller caller;
	int passes;

	if (option_allowed(ctx->level, ctx->optname)) {
		ctx->optlen = 0;
		return SOCK_PROCEED;
	}
	caller_of_flow(&caller, sk ? bpf_sk_storage_get(&sockets, sk, 0, 0) : 0);
	place.netns_cookie = bpf_get_netns_cookie(ctx);
	if (sk) {
		place.socket_family = sk->family;
		place.socket_type = sk->type;
	}
	passes = place.observed = is_observed(caller.agent) && !is_quarantined(caller.agent);
	if (passes)
		ctx->optlen = 0;
	else
		count(SALLYPORT_COUNT_DENIED);
	report_task(SALLYPORT_KIND_SOCKET, SALLYPORT_REASON_SOCKET_OPTION, caller.agent, &place);
	return passes ? SOCK_PROCEED : SOCK_REFUSE;
}

/* ---- TCP: the origin under the name that the listener will see ---------------------- */

/*
 * Called when the port is bound and the sequence number chosen, but nothing was sent. A source
 * port alone does not tell connections apart: a client that resets and connects again from the
 * same port would give its first bytes the second one's identity.
 */
static __always_inline void publish_connection(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
					       struct socket_note *note)
{
	struct sallyport_origin_key key = { .netns_cookie = note->origin.netns_cookie,
					    .port = ctx->local_port };
	struct place place = { .address = note->origin.dialled,
			       .port = note->origin.dialled_port,
			       .protocol = PROTOCOL_TCP,
			       .socket_family = ctx->family,
			       .socket_type = TYPE_STREAM };
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	if (!tcp)
		return;
	key.sequence_be = bpf_htonl(tcp->write_seq);
	/* The family on the wire: an IPv6 socket that dialled ::ffff:a.b.c.d arrives as IPv4. */
	if (is_ipv4(&note->origin.dialled))
		read4(&key.address, ctx->local_ip4);
	else
		READ6(&key.address, ctx, local_ip6);
	if (!bpf_map_update_elem(&origins, &key, &note->origin, BPF_ANY))
		return;
	count(SALLYPORT_COUNT_ORIGINS_FULL);
	report_socket(SALLYPORT_KIND_DENY, SALLYPORT_REASON_NO_STORAGE, note,
		      note->origin.cgroup_id, &place);
}

/*
 * Attached to each tagged cgroup, since it runs nine times for every TCP connection below; at the
 * root only where cgroups may be tagged at their birth, when nothing can be attached to them.
 */
SEC("sockops")
int sallyport_sockops(struct bpf_sock_ops *ctx)
{
	struct socket_note *note;
	struct bpf_sock *sk;

	if (ctx->op != BPF_SOCK_OPS_TCP_CONNECT_CB && ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB)
		return 1;
	sk = ctx->sk;
	if (!sk)
		return 1;
	note = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!note)
		return 1;
	if (ctx->op == BPF_SOCK_OPS_TCP_LISTEN_CB) {
		note->admission = ADMITTED_LOOPBACK; /* for its answers; children inherit it */
		note->redirect_port = 0;
	} else if (note->redirect_port && note->redirect_port == bpf_ntohl(ctx->remote_port)) {
		publish_connection(ctx, sk, note);
	}
	return 1;
}

/* ---- packets and new cgroups --------------------------------------------------------- */

/*
 * A packet of a tagged cgroup whose socket no earlier hook admitted goes nowhere. The kernel
 * calls this with the full socket only (a SYN-ACK comes with its listener's); what has none,
 * such as a RST from a closed port, is not a byte of the agent's and does not come here. If
 * one came, it could not be attributed, so it is dropped.
 */
SEC("cgroup_skb/egress")
int sallyport_egress(struct __sk_buff *skb)
{
	return guard_packet(skb);
}

/* Before anybody can see the cgroup, so before a process is in it. */
SEC("raw_tp/cgroup_mkdir")
int sallyport_cgroup_mkdir(struct bpf_raw_tracepoint_args *ctx)
{
	return tag_newborn((struct cgroup *)ctx->args[0], (const char *)ctx->args[1]);
}
