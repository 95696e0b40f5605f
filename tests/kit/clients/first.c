/*
 * A container's first instruction: dials the sink, which must never see it, then a registered address, and says how
 * both went. Static and without a runtime, so that nothing delays the dial. Usage: first ADDRESS SINK PORT [until].
 * "until": dials the sink again and again until it is refused. openUs is when it was last reached, after the start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A connected socket, or minus errno. */
static int dial(const char* address, const char* port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  struct timeval patience = {.tv_sec = 5};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, address, &to.sin_addr);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr*)&to, sizeof to) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

/* PostgreSQL's SSLRequest: the guard answers 'S' by itself. */
static char asks(int fd) {
  static const char request[8] = {0, 0, 0, 8, 4, (char)210, 22, 47};
  char answer = '-';
  if (fd < 0 || write(fd, request, sizeof request) != sizeof request || read(fd, &answer, 1) != 1) answer = '-';
  return answer;
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  long started_us = now_us(), open_us = 0;
  int sink, leaks = 0;
  do {
    sink = dial(argv[1], argv[2]);
    if (sink >= 0) {
      leaks++;
      open_us = now_us() - started_us;
      close(sink);
    }
  } while (argc > 4 && sink != -EPERM && now_us() - started_us < 5000000);
  int registered = dial(argv[1], argv[3]);
  char answer = asks(registered);
  printf("{\"sink\":%d,\"leaks\":%d,\"openUs\":%ld,\"registered\":%d,\"answer\":\"%c\"}\n", sink < 0 ? -sink : 0, leaks,
         open_us, registered < 0 ? -registered : 0, answer);
  return 0;
}
