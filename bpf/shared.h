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
#define SALLYPORT_LAYOUT 2

/* Levels of the cgroup tree that are searched for a tag; the root (level 0) carries none. */
#define SALLYPORT_LEVELS 16

#define SALLYPORT_COMM_BYTES 16

/* The connection of every DNS query of an agent; never a destination's. */
#define SALLYPORT_NAMES_CONNECTION 0xffffffffu

/* A glob with its NUL, the path of a cgroup with its NUL (the kernel traces no longer ones),
 * sun_path. */
#define SALLYPORT_GLOB_BYTES 128
#define SALLYPORT_CGROUP_PATH_BYTES 1024
#define SALLYPORT_UNIX_PATH_BYTES 108

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
	SALLYPORT_KIND_BORN = 6,
	SALLYPORT_KIND_UNIX = 7,
	SALLYPORT_KINDS = 8,
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
	SALLYPORT_REASON_NO_DOOR = 12,
	SALLYPORT_REASON_SEALED_NAMES = 13,
	SALLYPORT_REASON_DAEMON_SILENT = 14,
	SALLYPORT_REASON_DOOR = 15,
	SALLYPORT_REASON_SOCKET_OPTION = 16,
	SALLYPORT_REASON_TURNED = 17,
	SALLYPORT_REASONS = 18,
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

/*
 * The source of a redirected connection or datagram as its listener will see it. A source port is
 * used again and again; what tells one connection from the next is the sequence number of its SYN.
 */
struct sallyport_origin_key {
	__u64 netns_cookie;
	struct sallyport_address address;
	__u32 sequence_be; /* of the SYN; 0 for datagrams */
	__u16 port;
	__u8 padding[2];
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
	__u64 netns_cookie; /* of the task; 0 for packets */
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
	__u8 observed; /* passed only because the agent is observed; the reason is the refusal's */
	__u8 path_bytes; /* of a sallyport_unix_event */
	__u8 padding[2];
};
SALLYPORT_SIZE(sallyport_event, 80);

/* The longer record of SALLYPORT_KIND_UNIX. An abstract name begins with a NUL. */
struct sallyport_unix_event {
	struct sallyport_event event;
	char path[SALLYPORT_UNIX_PATH_BYTES];
	__u8 padding[4];
};
SALLYPORT_SIZE(sallyport_unix_event, 192);

enum sallyport_birth_kind {
	SALLYPORT_BIRTH_UNIT = 0, /* the last part of the path, below slices of the system */
	SALLYPORT_BIRTH_PATH = 1, /* the whole path */
};

/* A birth rule, as key: adding the same one twice is once. */
struct sallyport_birth {
	char glob[SALLYPORT_GLOB_BYTES]; /* NUL to its end */
	__u32 kind; /* enum sallyport_birth_kind */
};
SALLYPORT_SIZE(sallyport_birth, 132);

struct sallyport_birth_value {
	__u32 agent;
	__u32 order; /* of several rules that match, the lowest wins */
};
SALLYPORT_SIZE(sallyport_birth_value, 8);

/*
 * A Unix socket that agents may reach, as key of a longest-prefix table. An exact door has
 * `length` and all bits in its prefix; a door to all that begins so has length 0.
 */
struct sallyport_door_key {
	__u32 prefix_bits; /* 8 for the length, 8 for each byte */
	__u8 length; /* of the path without its NUL; an abstract name counts its first NUL */
	char path[SALLYPORT_UNIX_PATH_BYTES]; /* NUL to its end */
	__u8 padding[3];
};
SALLYPORT_SIZE(sallyport_door_key, 116);
#define SALLYPORT_DOOR_BITS (8 * (1 + SALLYPORT_UNIX_PATH_BYTES))

#endif
