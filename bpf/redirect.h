/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The decisions, as pure inline functions on plain values: no helper, no map, no
 * context. The same functions run row by row inside a SEC("syscall") program in tests.
 * Whatever is not said to be allowed here is denied.
 */
#ifndef SALLYPORT_REDIRECT_H
#define SALLYPORT_REDIRECT_H

#include "shared.h"

#define FAMILY_INET 2
#define FAMILY_INET6 10
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PORT_NAMES 53
#define PORT_SEALED_NAMES 853 /* DNS over TLS and over QUIC */
#define TYPE_STREAM 1
#define TYPE_DGRAM 2
/* The loopback device has index 1 in every network namespace. */
#define LOOPBACK_INDEX 1

/* How far the packets of a socket may go. */
enum admission {
	ADMITTED_NOWHERE = 0,
	ADMITTED_LOOPBACK = 1, /* redirected, an own listener, or a listening socket's answers */
	ADMITTED_ANYWHERE = 2, /* a destination that the table allows */
	ADMITTED_OBSERVED = 3, /* like that, but only as long as its agent is observed */
};

/* One outbound flow, with everything looked up that a decision may need. */
struct flow {
	struct sallyport_address address; /* after effective_address() */
	__u16 port;
	__u16 protocol;
	__u16 listener_port; /* of Sallyport in this network namespace; 0: none */
	__u8 quarantined;
	__u8 own_listener; /* the agent itself listens there */
	__u8 observed; /* the agent is: what a rule refuses passes, and is told */
	__u8 silent; /* the daemon gave no sign of life in time */
	__u8 padding[6];
};

struct verdict {
	__u32 connection;
	__u8 action; /* enum sallyport_action */
	__u8 reason; /* enum sallyport_reason */
	__u8 admission; /* enum admission */
	__u8 observed; /* allowed against a rule; the reason is the rule's */
};

/* Whole words instead of bytes: every early way out of a loop would double the verifier's work. */
struct words {
	__u32 of[4];
};

static __always_inline struct words words_of(const struct sallyport_address *address)
{
	struct words words;

	__builtin_memcpy(&words, address->bytes, sizeof(words));
	return words;
}

static __always_inline __u32 word(__u8 a, __u8 b, __u8 c, __u8 d)
{
	union {
		__u8 bytes[4];
		__u32 word;
	} both = { .bytes = { a, b, c, d } };

	return both.word;
}

static __always_inline int is_ipv4(const struct sallyport_address *address)
{
	struct words words = words_of(address);

	return !(words.of[0] | words.of[1] | (words.of[2] ^ word(0, 0, 0xff, 0xff)));
}

static __always_inline int is_loopback(const struct sallyport_address *address)
{
	struct words words = words_of(address);

	if (is_ipv4(address))
		return address->bytes[12] == 127;
	return !(words.of[0] | words.of[1] | words.of[2] | (words.of[3] ^ word(0, 0, 0, 1)));
}

static __always_inline int is_unspecified(const struct sallyport_address *address)
{
	struct words words = words_of(address);

	return !words.of[3] && (is_ipv4(address) || !(words.of[0] | words.of[1] | words.of[2]));
}

static __always_inline int is_same(const struct sallyport_address *one,
				   const struct sallyport_address *other)
{
	struct words a = words_of(one);
	struct words b = words_of(other);

	return !((a.of[0] ^ b.of[0]) | (a.of[1] ^ b.of[1]) | (a.of[2] ^ b.of[2]) |
		 (a.of[3] ^ b.of[3]));
}

/* The loopback address on which Sallyport listens for this family, on the wire. */
static __always_inline void to_loopback(struct sallyport_address *address)
{
	if (is_ipv4(address)) {
		address->bytes[12] = 127;
		address->bytes[13] = 0;
		address->bytes[14] = 0;
	} else {
		for (int i = 0; i < 15; i++)
			address->bytes[i] = 0;
	}
	address->bytes[15] = 1;
}

/*
 * Connecting to 0.0.0.0 or :: means this host; the kernel picks the address only after
 * our hook, and from the socket's own source address. So it is pinned to loopback here
 * and written back. Returns whether the address changed.
 */
static __always_inline int pin_unspecified(struct sallyport_address *address)
{
	if (!is_unspecified(address))
		return 0;
	to_loopback(address);
	return 1;
}

/* Where Sallyport itself listens, over TCP and UDP. Other loopback addresses do not lead there. */
static __always_inline int is_our_listener(const struct flow *flow)
{
	struct sallyport_address loopback = flow->address;

	if (!flow->listener_port || flow->port != flow->listener_port)
		return 0;
	to_loopback(&loopback);
	return is_same(&loopback, &flow->address);
}

/* On equal prefixes: an interception of this very port, then deny, then the rest. */
static __always_inline int rank(const struct sallyport_destination *destination, int exact_port)
{
	if (destination->action == SALLYPORT_INTERCEPT)
		return exact_port ? 3 : 1;
	return destination->action == SALLYPORT_DENY ? 2 : 0;
}

/*
 * Chooses between the entry for this port and the one for every port: the longer
 * prefix wins. An IPv6 prefix short enough to cover ::ffff:0:0/96 says nothing about IPv4.
 */
static __always_inline const struct sallyport_destination *
choose(const struct flow *flow, const struct sallyport_destination *exact,
       const struct sallyport_destination *any)
{
	int prefix_min = is_ipv4(&flow->address) ? 96 : 0;
	/* Lengths first, pointers after: Linux 6.1's verifier does not follow a pointer that was
	 * set to 0 on the way. */
	int exact_prefix = exact ? exact->prefix : -1;
	int any_prefix = any ? any->prefix : -1;

	if (exact_prefix < prefix_min)
		exact_prefix = -1;
	if (any_prefix < prefix_min)
		any_prefix = -1;
	if (exact_prefix < 0 && any_prefix < 0)
		return 0;
	if (exact && any && exact_prefix == any_prefix)
		return rank(exact, 1) >= rank(any, 0) ? exact : any;
	return exact_prefix > any_prefix ? exact : any;
}

static __always_inline void deny(struct verdict *verdict, __u8 reason)
{
	verdict->action = SALLYPORT_DENY;
	verdict->reason = reason;
	verdict->admission = ADMITTED_NOWHERE;
	verdict->connection = 0;
}

static __always_inline void allow(struct verdict *verdict, __u8 reason, __u8 admission)
{
	verdict->action = SALLYPORT_ALLOW;
	verdict->reason = reason;
	verdict->admission = admission;
	verdict->connection = 0;
}

/* What a rule refuses. What guards Sallyport itself is denied without asking who is observed. */
static __always_inline void deny_by_rule(const struct flow *flow, struct verdict *verdict,
					 __u8 reason)
{
	if (!flow->observed)
		return deny(verdict, reason);
	allow(verdict, reason, ADMITTED_OBSERVED);
	verdict->observed = 1;
}

static __always_inline void intercept(const struct flow *flow, struct verdict *verdict, __u8 reason,
				      __u32 connection)
{
	if (!flow->listener_port)
		return deny(verdict, SALLYPORT_REASON_NO_LISTENER);
	if (flow->silent)
		return deny(verdict, SALLYPORT_REASON_DAEMON_SILENT);
	verdict->action = SALLYPORT_INTERCEPT;
	verdict->reason = reason;
	verdict->admission = ADMITTED_LOOPBACK;
	verdict->connection = connection;
}

/* Queries for names go to our own resolver, but for a backend that is registered right there. */
static __always_inline int is_names(const struct flow *flow,
				    const struct sallyport_destination *exact)
{
	return flow->port == PORT_NAMES &&
	       !(exact && exact->action == SALLYPORT_INTERCEPT && exact->prefix == 128);
}

/* What happens to a flow of a tagged agent. */
static __always_inline void decide(const struct flow *flow,
				   const struct sallyport_destination *exact,
				   const struct sallyport_destination *any, struct verdict *verdict)
{
	const struct sallyport_destination *chosen = choose(flow, exact, any);

	verdict->observed = 0;
	if (flow->quarantined)
		return deny(verdict, SALLYPORT_REASON_QUARANTINED);
	if (is_our_listener(flow))
		return deny(verdict, SALLYPORT_REASON_OUR_LISTENER);
	if (is_names(flow, exact))
		return intercept(flow, verdict, SALLYPORT_REASON_REGISTERED,
				 SALLYPORT_NAMES_CONNECTION);
	if (chosen && chosen->action == SALLYPORT_INTERCEPT &&
	    (flow->port != PORT_SEALED_NAMES || chosen == exact))
		return intercept(flow, verdict, chosen->reason, chosen->connection);
	if (flow->port == PORT_SEALED_NAMES)
		return deny_by_rule(flow, verdict, SALLYPORT_REASON_SEALED_NAMES);
	if (flow->own_listener)
		return allow(verdict, SALLYPORT_REASON_OWN_LISTENER, ADMITTED_LOOPBACK);
	if (!chosen)
		return deny_by_rule(flow, verdict, SALLYPORT_REASON_UNLISTED);
	if (chosen->action != SALLYPORT_ALLOW)
		return deny_by_rule(flow, verdict, chosen->reason);
	allow(verdict, chosen->reason, ADMITTED_ANYWHERE);
	verdict->connection = chosen->connection;
}

/* TCP and UDP over IP; raw, ping, MPTCP, SCTP, UDP-Lite and whatever comes next are not listed. */
static __always_inline int socket_kind_allowed(__u32 family, __u32 type, __u32 protocol)
{
	if (family != FAMILY_INET && family != FAMILY_INET6)
		return 0;
	if (type == TYPE_STREAM)
		return protocol == 0 || protocol == PROTOCOL_TCP;
	if (type == TYPE_DGRAM)
		return protocol == 0 || protocol == PROTOCOL_UDP;
	return 0;
}

/* Whoever owned the listener's port while the daemon is down would be given the agents' traffic. */
static __always_inline int port_allowed(__u16 port, __u16 listener_port)
{
	return !port || port != listener_port;
}

/* A datagram's admission adds to what its socket may do already; a connect() sets it anew. */
static __always_inline int raises_admission(__u8 from, __u8 to)
{
	return to == ADMITTED_ANYWHERE || from == ADMITTED_NOWHERE ||
	       (from == ADMITTED_LOOPBACK && to == ADMITTED_OBSERVED);
}

/*
 * The backstop. Flows that the table allowed end with a quarantine; redirected ones are
 * ended by the daemon, in their own protocol, so their packets to it go on.
 */
static __always_inline int packet_allowed(__u8 admission, __u32 device_index, int quarantined,
					  int observed)
{
	if (admission == ADMITTED_ANYWHERE)
		return !quarantined;
	if (admission == ADMITTED_OBSERVED)
		return observed && !quarantined;
	return admission == ADMITTED_LOOPBACK && device_index == LOOPBACK_INDEX;
}

#endif
