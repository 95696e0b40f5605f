// SPDX-License-Identifier: Apache-2.0
// An agent that dials as fast as it can from a few source ports, again and again, and tells on each connection who it
// is and where it dialled. Usage: client SPACE COUNT PORT_FROM PORTS HASTY DESTINATION..., a destination being
// "ADDRESS PORT" in two arguments. One of HASTY connections is reset without waiting for the answer (0: none).
// Says at the end: "SENT ERRNO=COUNT ...".
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// What goes over the wire; the accept side has the same layout, little-endian.
struct token {
  uint32_t number;
  uint32_t pid;
  uint16_t source_port;
  uint16_t destination;
  uint8_t space;
  uint8_t hasty;
  uint16_t padding;
};

struct destination {
  struct sockaddr_storage name;
  socklen_t length;
};

static struct destination parse(const char* address, const char* port) {
  struct destination all = {0};
  struct sockaddr_in* four = (struct sockaddr_in*)&all.name;
  struct sockaddr_in6* six = (struct sockaddr_in6*)&all.name;

  if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(atoi(port));
    all.length = sizeof(*four);
  } else if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(atoi(port));
    all.length = sizeof(*six);
  } else {
    fprintf(stderr, "not an address: %s\n", address);
    exit(2);
  }
  return all;
}

static int bind_source(int fd, int family, uint16_t port) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};

  if (family == AF_INET) return bind(fd, (struct sockaddr*)&four, sizeof(four));
  return bind(fd, (struct sockaddr*)&six, sizeof(six));
}

static int dial(const struct destination* to, struct token* token) {
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};  // so that the port is free at once
  const struct timeval patience = {.tv_sec = 20};
  const int on = 1;
  int fd = socket(to->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int error = 0;
  char answer;

  if (fd < 0) return errno;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (bind_source(fd, to->name.ss_family, token->source_port) != 0 ||
      connect(fd, (const struct sockaddr*)&to->name, to->length) != 0 ||
      send(fd, token, sizeof(*token), MSG_NOSIGNAL) != sizeof(*token))
    error = errno;
  else if (!token->hasty && recv(fd, &answer, 1, 0) != 1)
    error = errno ? errno : ECONNRESET;
  close(fd);
  return error;
}

int main(int argc, char** argv) {
  enum { FIXED = 6, ERRNOS = 256, DESTINATIONS = 64 };
  struct destination destinations[DESTINATIONS];
  unsigned counts[ERRNOS] = {0};
  unsigned sent = 0;

  if (argc < FIXED + 2 || (argc - FIXED) / 2 > DESTINATIONS) {
    fprintf(stderr, "see the head of client.c\n");
    return 2;
  }
  const unsigned count = atoi(argv[2]);
  const unsigned port_from = atoi(argv[3]);
  const unsigned ports = atoi(argv[4]);
  const unsigned hasty = atoi(argv[5]);
  const unsigned many = (argc - FIXED) / 2;

  for (unsigned i = 0; i < many; i++) destinations[i] = parse(argv[FIXED + 2 * i], argv[FIXED + 2 * i + 1]);
  for (unsigned i = 0; i < count; i++) {
    struct token token = {.number = i,
                          .pid = getpid(),
                          .source_port = port_from + i % ports,
                          .destination = (i * 7 + i / ports) % many,
                          .space = atoi(argv[1]),
                          .hasty = hasty && i % hasty == 0};
    int error = dial(&destinations[token.destination], &token);

    if (error)
      counts[error % ERRNOS]++;
    else
      sent++;
  }
  printf("%u", sent);
  for (unsigned i = 0; i < ERRNOS; i++)
    if (counts[i]) printf(" %u=%u", i, counts[i]);
  printf("\n");
  return 0;
}
