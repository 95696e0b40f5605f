// SPDX-License-Identifier: Apache-2.0
/*
 * The client and the server of the cost measures: one flow after the other, timed with the monotonic clock.
 *   flows serve PORT                      "e": echoes one byte; "b": reads to the end, then answers one byte
 *   flows connect ADDRESS PORT COUNT      connect() and close: prints p10, p50 and p99 in ns
 *   flows echo ADDRESS PORT COUNT         connect(), one byte there and back, close
 *   flows bulk ADDRESS PORT MIB           one flow of so many MiB: prints bytes a second
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char block[1 << 18];

static void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static double now_ns(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

static int tcp_socket(void) {
  const int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0) fail("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return fd;
}

static struct sockaddr_in name_of(const char* address, const char* port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};

  if (inet_pton(AF_INET, address, &name.sin_addr) != 1) fail("address");
  return name;
}

static int dial(const struct sockaddr_in* name) {
  int fd = tcp_socket();

  if (connect(fd, (const struct sockaddr*)name, sizeof *name) != 0) fail("connect");
  return fd;
}

/* A RST leaves no TIME_WAIT, so that a million flows do not use up the ports. */
static void hang_up(int fd) {
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
}

static void serve(const char* port) {
  const struct sockaddr_in name = name_of("127.0.0.1", port);
  int listener = tcp_socket();

  if (bind(listener, (const struct sockaddr*)&name, sizeof name) != 0 || listen(listener, 1024) != 0) fail("listen");
  puts("ready");
  fflush(stdout);
  for (;;) {
    char kind = 0;
    int fd = accept(listener, NULL, NULL);

    if (fd < 0) continue;
    if (read(fd, &kind, 1) == 1) {
      if (kind == 'b')
        while (read(fd, block, sizeof block) > 0)
          ;
      if (write(fd, &kind, 1) < 0) kind = 0; /* the client is gone: the next one */
    }
    close(fd);
  }
}

// Client and server each keep to a processor: who shares one with whom would be most of what is measured.
static void keep_to(int processor) {
  cpu_set_t set;

  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity");
}

static int ascending(const void* one, const void* other) {
  const double difference = *(const double*)one - *(const double*)other;

  return difference < 0 ? -1 : difference > 0;
}

static void flows(const struct sockaddr_in* name, int count, int echo) {
  double* times = calloc(count, sizeof *times);
  const double started = now_ns();

  if (!times) fail("calloc");
  for (int i = 0; i < count; i++) {
    const double before = now_ns();
    int fd = dial(name);
    char byte = 'e';

    if (echo && (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)) fail("echo");
    times[i] = now_ns() - before;
    hang_up(fd);
  }
  const double seconds = (now_ns() - started) / 1e9;
  qsort(times, count, sizeof *times, ascending);
  printf("{\"p10Ns\": %.0f, \"p50Ns\": %.0f, \"p99Ns\": %.0f, \"perSecond\": %.1f}\n", times[count / 10],
         times[count / 2], times[(int)(count * 0.99)], count / seconds);
}

static void bulk(const struct sockaddr_in* name, int mebibytes) {
  const double bytes = mebibytes * 1024.0 * 1024.0;
  const double started = now_ns();
  int fd = dial(name);
  char answer;

  block[0] = 'b';
  for (double sent = 0; sent < bytes;) {
    const ssize_t wrote = write(fd, block, sizeof block);

    if (wrote <= 0) fail("write");
    sent += wrote;
  }
  shutdown(fd, SHUT_WR);
  if (read(fd, &answer, 1) != 1) fail("read");
  printf("{\"perSecond\": %.0f}\n", bytes / ((now_ns() - started) / 1e9));
}

int main(int count, char** words) {
  keep_to(count == 3 ? 1 : 0);
  if (count == 3 && !strcmp(words[1], "serve")) serve(words[2]);
  if (count != 5) {
    fprintf(stderr, "usage: see the head of flows.c\n");
    return 2;
  }
  const struct sockaddr_in name = name_of(words[2], words[3]);

  if (!strcmp(words[1], "bulk"))
    bulk(&name, atoi(words[4]));
  else
    flows(&name, atoi(words[4]), !strcmp(words[1], "echo"));
  return 0;
}
