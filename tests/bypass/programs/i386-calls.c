// SPDX-License-Identifier: Apache-2.0
/*
 * Makes and connects a socket by the 32-bit system calls from a 64-bit program, which a filter that
 * looks at 64-bit numbers only does not see. Usage: i386-calls IPV4 PORT TOKEN. Exit code: errno.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CALL_WRITE 4
#define CALL_SOCKETCALL 102
#define SOCKETCALL_SOCKET 1
#define SOCKETCALL_CONNECT 3

static long call32(long number, long one, long two, long three)
{
	long result;

	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(number), "b"(one), "c"(two), "d"(three)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

int main(int count, char **words)
{
	uint8_t *low = mmap(0, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct sockaddr_in *to = (struct sockaddr_in *)(low + 64);
	uint32_t *arguments = (uint32_t *)low;
	long sock, result;

	if (count != 4 || low == MAP_FAILED)
		return 200;
	arguments[0] = AF_INET;
	arguments[1] = SOCK_STREAM;
	arguments[2] = 0;
	sock = call32(CALL_SOCKETCALL, SOCKETCALL_SOCKET, (long)arguments, 0);
	if (sock < 0)
		return -sock;
	to->sin_family = AF_INET;
	to->sin_port = htons(atoi(words[2]));
	inet_pton(AF_INET, words[1], &to->sin_addr);
	arguments[0] = sock;
	arguments[1] = (uintptr_t)to;
	arguments[2] = sizeof(*to);
	result = call32(CALL_SOCKETCALL, SOCKETCALL_CONNECT, (long)arguments, 0);
	if (result < 0)
		return -result;
	strncpy((char *)low + 256, words[3], 64);
	result = call32(CALL_WRITE, sock, (long)low + 256, strlen(words[3]));
	return result < 0 ? -result : 0;
}
