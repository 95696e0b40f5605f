/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The backstop: every packet of a tagged cgroup is checked against what the hooks noted on
 * its socket, and whether it still goes where they let it go. Also tells the daemon whose
 * datagram it is about to receive, since here the source port is known for connected and
 * unconnected sockets alike.
 */
#ifndef SALLYPORT_PACKETS_H
#define SALLYPORT_PACKETS_H

#include "addresses.h"
#include "outbound.h"

#define ETHERTYPE_IPV4 0x0800
#define IPV4_HEADER_WORDS 5 /* without options */

struct packet {
	struct place to;
	struct sallyport_address source;
	__u16 source_port;
	__u8 extended; /* IPv4 options or IPv6 extension headers: they may say another way */
};

static __always_inline int is_carried(__u16 protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP;
}

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
		packet->extended = four.ihl != IPV4_HEADER_WORDS;
		offset = four.ihl * 4;
	} else {
		bpf_skb_load_bytes(skb, 0, &six, sizeof(six));
		__builtin_memcpy(packet->source.bytes, &six.saddr, 16);
		__builtin_memcpy(packet->to.address.bytes, &six.daddr, 16);
		packet->to.protocol = six.nexthdr;
		packet->to.socket_family = FAMILY_INET6;
		packet->extended = !is_carried(six.nexthdr);
		offset = sizeof(six);
	}
	if (is_carried(packet->to.protocol)) {
		bpf_skb_load_bytes(skb, offset, ports_be, sizeof(ports_be));
		packet->source_port = bpf_ntohs(ports_be[0]);
		packet->to.port = bpf_ntohs(ports_be[1]);
	}
}

/* Was the datagram redirected to the daemon's UDP listener? */
static __always_inline int is_redirected(const struct packet *packet,
					 const struct socket_note *note)
{
	return packet->to.protocol == PROTOCOL_UDP && note->redirect_port &&
	       packet->to.port == note->redirect_port && is_loopback(&packet->to.address);
}

static __always_inline void publish_datagram(const struct packet *packet, struct socket_note *note)
{
	struct sallyport_origin_key key = { .netns_cookie = note->origin.netns_cookie,
					    .address = packet->source,
					    .port = packet->source_port };

	if (!bpf_map_update_elem(&datagrams, &key, &note->origin, BPF_ANY))
		return;
	count(SALLYPORT_COUNT_ORIGINS_FULL);
	report_socket(SALLYPORT_KIND_DENY, SALLYPORT_REASON_NO_STORAGE, note,
		      note->origin.cgroup_id, &packet->to);
}

/* Goes the packet to the other end that its socket is connected to? */
static __always_inline int goes_to_peer(const struct packet *packet, struct bpf_sock *sk)
{
	struct sallyport_address peer;

	if (packet->to.port != bpf_ntohs(sk->dst_port))
		return 0;
	if (packet->to.socket_family == FAMILY_INET)
		read4(&peer, sk->dst_ip4); /* also of an IPv6 socket with an IPv4 peer */
	else
		READ6(&peer, sk, dst_ip6);
	return is_same(&peer, &packet->to.address);
}

/*
 * What was judged is what connect() or sendmsg() said; rules of the namespace's own packet filter
 * may have turned the packet since. It may go to its peer, or to where the table lets it go now.
 * A listener answers whoever asked: its packets have no peer yet.
 */
static __always_inline int is_turned(const struct packet *packet, struct bpf_sock *sk,
				     const struct socket_note *note)
{
	struct flow flow = { .address = packet->to.address,
			     .port = packet->to.port,
			     .protocol = packet->to.protocol };
	const struct sallyport_destination *chosen;

	if (!is_carried(packet->to.protocol))
		return 1;
	if (sk->state == BPF_TCP_LISTEN || goes_to_peer(packet, sk) || is_redirected(packet, note))
		return 0;
	chosen = choose(&flow, destination_of(&flow, flow.port), destination_of(&flow, 0));
	return !chosen || chosen->action != SALLYPORT_ALLOW;
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
	__u8 reason = SALLYPORT_REASON_NOT_ADMITTED;
	struct bpf_sock *sk = skb->sk;
	struct socket_note *passed = 0;
	struct socket_note *note = 0;
	struct packet packet = {};
	int quarantine = 0;
	int observe = 0;

	read_packet(skb, &packet);
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
	if (quarantine)
		reason = SALLYPORT_REASON_QUARANTINED;
	if (sk && note && packet_allowed(note->admission, skb->ifindex, quarantine, observe)) {
		if (packet.extended && !observe) {
			reason = SALLYPORT_REASON_SOCKET_OPTION;
		} else if (!observe && is_turned(&packet, sk, note)) {
			reason = SALLYPORT_REASON_TURNED;
		} else {
			if (is_redirected(&packet, note))
				publish_datagram(&packet, note);
			return 1;
		}
	}
	if (sk && !quarantine)
		passed = pass_observed(sk, note ? note->agent : agent_of_packet(skb));
	if (passed) {
		note = passed;
		packet.to.observed = 1;
	} else {
		count(SALLYPORT_COUNT_BACKSTOP);
	}
	report_socket(SALLYPORT_KIND_BACKSTOP, reason, note, bpf_skb_cgroup_id(skb), &packet.to);
	return passed != 0;
}

#endif
