/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses between the contexts of the hooks and the 16 bytes of shared.h. Decides nothing. */
#ifndef SALLYPORT_ADDRESSES_H
#define SALLYPORT_ADDRESSES_H

#include "shared.h"

static __always_inline void read4(struct sallyport_address *address, __u32 ip_be)
{
	__builtin_memset(address, 0, sizeof(*address));
	address->bytes[10] = 0xff;
	address->bytes[11] = 0xff;
	__builtin_memcpy(&address->bytes[12], &ip_be, 4);
}

static __always_inline void write4(struct bpf_sock_addr *ctx,
				   const struct sallyport_address *address, __u16 port)
{
	__u32 ip_be;

	__builtin_memcpy(&ip_be, &address->bytes[12], 4);
	ctx->user_ip4 = ip_be;
	ctx->user_port = bpf_htons(port);
}

/*
 * One word of a context. The verifier wants whole words at constant offsets from the context
 * itself; left alone, the compiler splits such a copy into bytes or moves the pointer first.
 */
#define CONTEXT_WORD(ctx, field, index)                                                            \
	({                                                                                         \
		__u64 word;                                                                        \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                              \
			     : "=r"(word)                                                          \
			     : "r"(ctx),                                                           \
			       "i"(__builtin_offsetof(typeof(*(ctx)), field) + 4 * (index)));      \
		(__u32) word;                                                                      \
	})

#define READ6(address, ctx, field)                                                                 \
	({                                                                                         \
		__u32 words_be[4] = { CONTEXT_WORD(ctx, field, 0), CONTEXT_WORD(ctx, field, 1),    \
				      CONTEXT_WORD(ctx, field, 2), CONTEXT_WORD(ctx, field, 3) };  \
		__builtin_memcpy((address)->bytes, words_be, 16);                                  \
	})

static __always_inline void write6(struct bpf_sock_addr *ctx,
				   const struct sallyport_address *address, __u16 port)
{
	__u32 words_be[4];

	__builtin_memcpy(words_be, address->bytes, 16);
	ctx->user_ip6[0] = words_be[0];
	ctx->user_ip6[1] = words_be[1];
	ctx->user_ip6[2] = words_be[2];
	ctx->user_ip6[3] = words_be[3];
	ctx->user_port = bpf_htons(port);
}

static __always_inline __u16 user_port(struct bpf_sock_addr *ctx)
{
	return bpf_ntohs((__u16)ctx->user_port);
}

#endif
