// SPDX-License-Identifier: Apache-2.0
/*
 * Makes a socket, connects it and sends, all by io_uring: none of these is a system call of its own.
 * Usage: io-uring IPV4 PORT TOKEN. Exit code: errno.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPERATION_SOCKET 45 /* newer than some headers */

static struct io_uring_params parameters;
static uint8_t *submissions, *completions;
static struct io_uring_sqe *entries;
static int ring;

static int do_one(struct io_uring_sqe entry)
{
	uint32_t *tail = (uint32_t *)(submissions + parameters.sq_off.tail);
	uint32_t *array = (uint32_t *)(submissions + parameters.sq_off.array);
	uint32_t *head = (uint32_t *)(completions + parameters.cq_off.head);
	struct io_uring_cqe *answers =
		(struct io_uring_cqe *)(completions + parameters.cq_off.cqes);
	uint32_t mask = *(uint32_t *)(completions + parameters.cq_off.ring_mask);
	int result;

	entries[*tail & (parameters.sq_entries - 1)] = entry;
	array[*tail & (parameters.sq_entries - 1)] = *tail & (parameters.sq_entries - 1);
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0)
		return -errno;
	result = answers[*head & mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

int main(int count, char **words)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int sock, result;

	if (count != 4)
		return 200;
	to.sin_port = htons(atoi(words[2]));
	inet_pton(AF_INET, words[1], &to.sin_addr);
	ring = syscall(SYS_io_uring_setup, 4, &parameters);
	if (ring < 0)
		return errno;
	submissions = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
			   IORING_OFF_SQ_RING);
	completions = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
			   IORING_OFF_CQ_RING);
	entries = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		       IORING_OFF_SQES);
	if (submissions == MAP_FAILED || completions == MAP_FAILED || entries == MAP_FAILED)
		return errno;
	sock = do_one((struct io_uring_sqe){
		.opcode = OPERATION_SOCKET, .fd = AF_INET, .off = SOCK_STREAM });
	if (sock < 0)
		return -sock;
	result = do_one((struct io_uring_sqe){ .opcode = IORING_OP_CONNECT,
					       .fd = sock,
					       .addr = (uintptr_t)&to,
					       .off = sizeof(to) });
	if (result < 0)
		return -result;
	result = do_one((struct io_uring_sqe){ .opcode = IORING_OP_SEND,
					       .fd = sock,
					       .addr = (uintptr_t)words[3],
					       .len = strlen(words[3]) });
	return result < 0 ? -result : 0;
}
