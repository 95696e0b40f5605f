/* Looks names up by getaddrinfo, one line each: what came, and the milliseconds. Built with glibc and with musl. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

static long now_ms(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

int main(int count, char **names)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	for (int at = 1; at < count; at++) {
		struct addrinfo *found = NULL;
		long started = now_ms();
		int error = getaddrinfo(names[at], NULL, &hints, &found);

		printf("%s", error ? "failed" : "found");
		for (struct addrinfo *one = error ? NULL : found; one; one = one->ai_next) {
			char text[INET6_ADDRSTRLEN] = "";
			const void *bytes = one->ai_family == AF_INET ?
				(const void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr :
				(const void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr;

			printf(" %s", inet_ntop(one->ai_family, bytes, text, sizeof(text)));
		}
		printf(" %ld\n", now_ms() - started);
	}
	return 0;
}
