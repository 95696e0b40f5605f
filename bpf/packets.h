/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The backstop: every packet of a tagged cgroup is checked against what the hooks noted on
 * its socket. Also tells the daemon whose datagram it is about to receive, since here the
 * source port is known for connected and unconnected sockets alike.
 */
#ifndef SALLYPORT_PACKETS_H
#define SALLYPORT_PACKETS_H

#include "addresses.h"
#include "caller.h"
#include "report.h"

#define ETHERTYPE_IPV4 0x0800

struct packet {
	struct place to;
	struct sallyport_address source;
	__u16 source_port;
};

static __always_inline void read_packet(struct __sk_buff *skb, struct packet *packet)
{
	struct ipv6hdr six = {};
	struct iphdr four = {};
	__be16 ports_be[2] = {};
	__u32 offset;

	if (skb->protocol == bpf_htons(ETHERTYPE_IPV4)) {
		bpf_skb_load_bytes(skb, 0, &four, sizeof(four));
		read4(&packet->source, four.saddr);
		read4(&packet->to.address, four.daddr);
		packet->to.protocol = four.protocol;
		packet->to.socket_family = FAMILY_INET;
		offset = four.ihl * 4;
	} else {
		bpf_skb_load_bytes(skb, 0, &six, sizeof(six));
		__builtin_memcpy(packet->source.bytes, &six.saddr, 16);
		__builtin_memcpy(packet->to.address.bytes, &six.daddr, 16);
		packet->to.protocol = six.nexthdr;
		packet->to.socket_family = FAMILY_INET6;
		offset = sizeof(six);
	}
	if (packet->to.protocol == PROTOCOL_TCP || packet->to.protocol == PROTOCOL_UDP) {
		bpf_skb_load_bytes(skb, offset, ports_be, sizeof(ports_be));
		packet->source_port = bpf_ntohs(ports_be[0]);
		packet->to.port = bpf_ntohs(ports_be[1]);
	}
}

static __always_inline void publish_datagram(struct __sk_buff *skb, struct socket_note *note)
{
	struct sallyport_origin_key key = { .netns_cookie = note->origin.netns_cookie };
	struct packet packet = {};

	read_packet(skb, &packet);
	if (packet.to.protocol != PROTOCOL_UDP || packet.to.port != note->redirect_port ||
	    !is_loopback(&packet.to.address))
		return;
	key.address = packet.source;
	key.port = packet.source_port;
	if (!bpf_map_update_elem(&datagrams, &key, &note->origin, BPF_ANY))
		return;
	count(SALLYPORT_COUNT_ORIGINS_FULL);
	report_socket(SALLYPORT_KIND_DENY, SALLYPORT_REASON_NO_STORAGE, note,
		      note->origin.cgroup_id, &packet.to);
}

/* The deepest tag above a socket that no hook ever saw. */
static __always_inline __u32 agent_of_packet(struct __sk_buff *skb)
{
	struct caller caller = {};

	for (int level = 1; level < SALLYPORT_LEVELS; level++) {
		__u64 cgroup_id = bpf_skb_ancestor_cgroup_id(skb, level);

		if (!cgroup_id)
			break;
		caller_by_cgroup(&caller, cgroup_id);
	}
	return caller.agent;
}

/* Lets an observed agent's socket pass from now on, as long as that lasts; told once per socket. */
static __always_inline struct socket_note *pass_observed(struct bpf_sock *sk, __u32 agent)
{
	struct socket_note *note;

	if (!agent || !is_observed(agent) || is_quarantined(agent))
		return 0;
	note = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (note) {
		note->agent = agent;
		note->admission = ADMITTED_OBSERVED;
	}
	return note;
}

static __always_inline int guard_packet(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct socket_note *passed = 0;
	struct socket_note *note = 0;
	struct packet packet = {};
	int quarantine = 0;
	int observe = 0;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk) {
		packet.to.socket_type = sk->type;
		note = bpf_sk_storage_get(&sockets, sk, 0, 0);
	}
	if (note) {
		quarantine = is_quarantined(note->agent);
		if (note->admission == ADMITTED_OBSERVED)
			observe = is_observed(note->agent);
	}
	if (packet_allowed(note ? note->admission : ADMITTED_NOWHERE, skb->ifindex, quarantine,
			   observe)) {
		if (note && note->redirect_port && packet.to.socket_type == TYPE_DGRAM)
			publish_datagram(skb, note);
		return 1;
	}
	if (sk && !quarantine)
		passed = pass_observed(sk, note ? note->agent : agent_of_packet(skb));
	read_packet(skb, &packet);
	if (passed) {
		note = passed;
		packet.to.observed = 1;
	} else {
		count(SALLYPORT_COUNT_BACKSTOP);
	}
	report_socket(SALLYPORT_KIND_BACKSTOP,
		      quarantine ? SALLYPORT_REASON_QUARANTINED : SALLYPORT_REASON_NOT_ADMITTED,
		      note, bpf_skb_cgroup_id(skb), &packet.to);
	return passed != 0;
}

#endif
