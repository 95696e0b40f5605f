/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every map: what it holds, who writes and reads it, and what happens when it is full.
 * All are pinned and outlive the daemon. Changing one means raising SALLYPORT_LAYOUT.
 */
#ifndef SALLYPORT_MAPS_H
#define SALLYPORT_MAPS_H

#include "redirect.h"

/* What the kernel notes about one socket; dies with it, cannot be evicted. */
struct socket_note {
	__u64 creator_tag_cgroup_id; /* 0: made by an untagged task */
	__u32 agent; /* of the last decision */
	__u16 redirect_port; /* where the flow really goes; 0: not redirected */
	__u8 admission; /* enum admission */
	__u8 padding;
	struct sallyport_origin origin; /* of the last redirect */
};

/* One entry: SALLYPORT_LAYOUT. Written once by the daemon, read by the next one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} layout SEC(".maps");

/*
 * Tagged cgroup id -> agent slot (never 0). Written by the daemon, read by every program.
 * Full: tag() fails, nothing that was tagged is lost.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u32);
} tags SEC(".maps");

/* Agent slot -> 1. Written by the daemon, read per flow. Full: quarantine() fails loudly. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u32);
} quarantined SEC(".maps");

/*
 * Agent slot -> CLOCK_BOOTTIME until which it is observed. Written by the daemon, read where a
 * rule would refuse. Full: observe() fails loudly, and nothing is lifted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} observed SEC(".maps");

/* One entry: CLOCK_BOOTTIME after which the daemon counts as silent; 0: never. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} pulse SEC(".maps");

/*
 * Birth rule -> agent slot. Written by the daemon, walked whenever a cgroup is made. Twice the
 * rules that index.js lets through: new ones are added before old ones go.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, struct sallyport_birth);
	__type(value, struct sallyport_birth_value);
} births SEC(".maps");

/* Doors, of the same double size. What is not in the table is denied. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 512);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sallyport_door_key);
	__type(value, __u32);
} doors SEC(".maps");

/* Inode number of a mount namespace in which paths mean what the settings meant -> 1. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, __u32);
} mount_namespaces SEC(".maps");

/*
 * (protocol, port, address prefix) -> what to do. Written by the daemon, read per flow.
 * Full: setDestinations() fails; what is not in the table is denied.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sallyport_destination_key);
	__type(value, struct sallyport_destination);
} destinations SEC(".maps");

/*
 * Network namespace cookie -> port of Sallyport's listeners on its loopback addresses.
 * Written by the daemon, read per flow. Full: setListener() fails; that namespace's
 * connections are refused.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} listeners SEC(".maps");

/*
 * Socket -> note. Written by the programs only. No memory: the flow is refused. Cloned
 * to accepted children, so that an agent's own server may answer on loopback.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct socket_note);
} sockets SEC(".maps");

/*
 * SYN of a connection that is being redirected -> its origin. Written before the SYN leaves, taken
 * by the daemon at accept, by the SYN that the accepted socket kept; or swept by age, never an
 * LRU. Full: counted, and the accept finds nothing and closes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct sallyport_origin_key);
	__type(value, struct sallyport_origin);
} origins SEC(".maps");

/*
 * Source of a redirected datagram -> its origin. Written when the packet leaves, read by the
 * daemon at recvmsg. LRU: an entry that is pushed out costs its agent one query.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sallyport_origin_key);
	__type(value, struct sallyport_origin);
} datagrams SEC(".maps");

/* Events for the daemon. Full: the event is dropped and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* enum sallyport_counter -> count. Written by the programs, summed by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SALLYPORT_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

#endif
