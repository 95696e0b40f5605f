/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records that cross between the BPF programs and user space. Fixed width, padding
 * spelled out and always zero, sizes asserted wherever this file is included.
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d; ports and ids are
 * in host order. Never holds logic.
 */
#ifndef SALLYPORT_SHARED_H
#define SALLYPORT_SHARED_H

#ifdef __cplusplus
#define SALLYPORT_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)
#else
#define SALLYPORT_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#endif

/* Goes up whenever a record, a map or the meaning of a value changes. */
#define SALLYPORT_LAYOUT 1

/* Levels of the cgroup tree that are searched for a tag; the root (level 0) carries none. */
#define SALLYPORT_LEVELS 16

#define SALLYPORT_COMM_BYTES 16

enum sallyport_action {
	SALLYPORT_DENY = 0,
	SALLYPORT_ALLOW = 1,
	SALLYPORT_INTERCEPT = 2,
};

enum sallyport_kind {
	SALLYPORT_KIND_REDIRECT = 0,
	SALLYPORT_KIND_ALLOW = 1,
	SALLYPORT_KIND_DENY = 2,
	SALLYPORT_KIND_BACKSTOP = 3,
	SALLYPORT_KIND_SOCKET = 4,
	SALLYPORT_KIND_BIND = 5,
};

enum sallyport_reason {
	SALLYPORT_REASON_REGISTERED = 0,
	SALLYPORT_REASON_OWN_LISTENER = 1,
	SALLYPORT_REASON_NAMESERVER = 2,
	SALLYPORT_REASON_EGRESS_RULE = 3,
	SALLYPORT_REASON_UNLISTED = 4,
	SALLYPORT_REASON_QUARANTINED = 5,
	SALLYPORT_REASON_NO_LISTENER = 6,
	SALLYPORT_REASON_NO_STORAGE = 7,
	SALLYPORT_REASON_OUR_LISTENER = 8,
	SALLYPORT_REASON_SOCKET_KIND = 9,
	SALLYPORT_REASON_LISTENER_PORT = 10,
	SALLYPORT_REASON_NOT_ADMITTED = 11,
};

enum sallyport_counter {
	SALLYPORT_COUNT_REDIRECTED = 0,
	SALLYPORT_COUNT_ALLOWED = 1,
	SALLYPORT_COUNT_DENIED = 2,
	SALLYPORT_COUNT_BACKSTOP = 3,
	SALLYPORT_COUNT_EVENTS_LOST = 4,
	SALLYPORT_COUNT_ORIGINS_FULL = 5,
	SALLYPORT_COUNTERS = 6,
};

struct sallyport_address {
	__u8 bytes[16];
};
SALLYPORT_SIZE(sallyport_address, 16);

/* Key of the longest-prefix table: protocol and port are always matched in full. */
struct sallyport_destination_key {
	__u32 prefix_bits; /* SALLYPORT_KEY_BITS + bits of the address */
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 padding;
	__u16 port; /* 0: every port */
	struct sallyport_address address;
};
SALLYPORT_SIZE(sallyport_destination_key, 24);
#define SALLYPORT_KEY_BITS 32

struct sallyport_destination {
	__u32 connection; /* handed back in the origin; no meaning in the kernel */
	__u8 action; /* enum sallyport_action */
	__u8 reason; /* enum sallyport_reason */
	__u8 prefix; /* bits of the 16-byte address: the trie does not tell which entry matched */
	__u8 padding;
};
SALLYPORT_SIZE(sallyport_destination, 8);

/* The source of a redirected connection as its listener will see it. */
struct sallyport_origin_key {
	__u64 netns_cookie;
	struct sallyport_address address;
	__u16 port;
	__u8 padding[6];
};
SALLYPORT_SIZE(sallyport_origin_key, 32);

struct sallyport_origin {
	__u64 netns_cookie;
	__u64 cgroup_id; /* of the task that connected */
	__u64 tag_cgroup_id; /* of the tagged ancestor that matched */
	__u64 boot_ns;
	struct sallyport_address dialled;
	__u32 agent;
	__u32 connection;
	__u32 pid; /* tgid in the init pid namespace */
	__u32 uid;
	char comm[SALLYPORT_COMM_BYTES];
	__u16 dialled_port;
	__u8 padding[6];
};
SALLYPORT_SIZE(sallyport_origin, 88);

struct sallyport_event {
	__u64 cgroup_id;
	__u64 boot_ns;
	struct sallyport_address address;
	__u32 agent; /* 0: an untagged task */
	__u32 pid;
	__u32 uid;
	__u16 port;
	__u16 protocol;
	__u8 kind; /* enum sallyport_kind */
	__u8 reason; /* enum sallyport_reason */
	__u8 socket_family;
	__u8 socket_type;
	char comm[SALLYPORT_COMM_BYTES];
	__u8 padding[4];
};
SALLYPORT_SIZE(sallyport_event, 72);

#endif
