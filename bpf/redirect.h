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
#define TYPE_STREAM 1
#define TYPE_DGRAM 2
/* The loopback device has index 1 in every network namespace. */
#define LOOPBACK_INDEX 1

/* How far the packets of a socket may go. */
enum admission {
	ADMITTED_NOWHERE = 0,
	ADMITTED_LOOPBACK = 1, /* redirected, an own listener, or a listening socket's answers */
	ADMITTED_ANYWHERE = 2, /* a destination that the table allows */
};

/* One outbound flow, with everything looked up that a decision may need. */
struct flow {
	struct sallyport_address address; /* after effective_address() */
	__u16 port;
	__u16 protocol;
	__u16 listener_port; /* of Sallyport in this network namespace; 0: none */
	__u8 quarantined;
	__u8 own_listener; /* the agent itself listens there */
};

struct verdict {
	__u32 connection;
	__u8 action; /* enum sallyport_action */
	__u8 reason; /* enum sallyport_reason */
	__u8 admission; /* enum admission */
	__u8 padding;
};

static __always_inline int is_ipv4(const struct sallyport_address *address)
{
	for (int i = 0; i < 10; i++)
		if (address->bytes[i])
			return 0;
	return address->bytes[10] == 0xff && address->bytes[11] == 0xff;
}

static __always_inline int bytes_are_zero(const struct sallyport_address *address, int from, int to)
{
	for (int i = from; i < to; i++)
		if (address->bytes[i])
			return 0;
	return 1;
}

static __always_inline int is_loopback(const struct sallyport_address *address)
{
	if (is_ipv4(address))
		return address->bytes[12] == 127;
	return bytes_are_zero(address, 0, 15) && address->bytes[15] == 1;
}

static __always_inline int is_unspecified(const struct sallyport_address *address)
{
	return bytes_are_zero(address, 12, 16) &&
	       (is_ipv4(address) || bytes_are_zero(address, 0, 12));
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

/* Where Sallyport itself listens. Other loopback addresses do not lead there. */
static __always_inline int is_our_listener(const struct flow *flow)
{
	struct sallyport_address loopback = flow->address;

	if (flow->protocol != PROTOCOL_TCP || !flow->listener_port ||
	    flow->port != flow->listener_port)
		return 0;
	to_loopback(&loopback);
	for (int i = 0; i < 16; i++)
		if (loopback.bytes[i] != flow->address.bytes[i])
			return 0;
	return 1;
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

	if (exact && exact->prefix < prefix_min)
		exact = 0;
	if (any && any->prefix < prefix_min)
		any = 0;
	if (!exact)
		return any;
	if (!any || exact->prefix > any->prefix)
		return exact;
	if (exact->prefix < any->prefix)
		return any;
	return rank(exact, 1) >= rank(any, 0) ? exact : any;
}

static __always_inline void deny(struct verdict *verdict, __u8 reason)
{
	verdict->action = SALLYPORT_DENY;
	verdict->reason = reason;
	verdict->admission = ADMITTED_NOWHERE;
	verdict->connection = 0;
}

/* What happens to a flow of a tagged agent. */
static __always_inline void decide(const struct flow *flow,
				   const struct sallyport_destination *exact,
				   const struct sallyport_destination *any, struct verdict *verdict)
{
	const struct sallyport_destination *chosen = choose(flow, exact, any);

	verdict->padding = 0;
	if (flow->quarantined)
		return deny(verdict, SALLYPORT_REASON_QUARANTINED);
	if (is_our_listener(flow))
		return deny(verdict, SALLYPORT_REASON_OUR_LISTENER);
	if (chosen && chosen->action == SALLYPORT_INTERCEPT) {
		if (!flow->listener_port)
			return deny(verdict, SALLYPORT_REASON_NO_LISTENER);
		verdict->action = SALLYPORT_INTERCEPT;
		verdict->reason = chosen->reason;
		verdict->admission = ADMITTED_LOOPBACK;
		verdict->connection = chosen->connection;
		return;
	}
	if (flow->own_listener) {
		verdict->action = SALLYPORT_ALLOW;
		verdict->reason = SALLYPORT_REASON_OWN_LISTENER;
		verdict->admission = ADMITTED_LOOPBACK;
		verdict->connection = 0;
		return;
	}
	if (!chosen)
		return deny(verdict, SALLYPORT_REASON_UNLISTED);
	if (chosen->action != SALLYPORT_ALLOW)
		return deny(verdict, chosen->reason);
	verdict->action = SALLYPORT_ALLOW;
	verdict->reason = chosen->reason;
	verdict->admission = ADMITTED_ANYWHERE;
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

/*
 * The backstop. Flows that the table allowed end with a quarantine; redirected ones are
 * ended by the daemon, in their own protocol, so their packets to it go on.
 */
static __always_inline int packet_allowed(__u8 admission, __u32 device_index, int quarantined)
{
	if (admission == ADMITTED_ANYWHERE)
		return !quarantined;
	return admission == ADMITTED_LOOPBACK && device_index == LOOPBACK_INDEX;
}

#endif
