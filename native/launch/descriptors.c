// SPDX-License-Identifier: Apache-2.0
// What the command inherits.
#include "descriptors.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "failure.h"

// Where systemd connects stdout and stderr of services. Source: systemd.exec(5), StandardOutput=journal.
static const char JOURNAL[] = "/run/systemd/journal/stdout";

static bool is_nameless(socklen_t length) {
  return length == sizeof(sa_family_t);
}

/**
 * A socket that was connected outside passes every hook. One end of a socketpair(2) is no more than a pipe (Node, sshd
 * and CI runners use them as such): it is told by having no name on either side, which no accepted and no dialled one
 * has.
 */
static bool is_safe_socket(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return false;
  int type = 0;
  size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type == SOCK_DGRAM) return false;
  struct sockaddr_un own = {0}, peer = {0};
  socklen_t own_length = sizeof own, peer_length = sizeof peer;
  if (getsockname(fd, (struct sockaddr*)&own, &own_length) != 0 || !is_nameless(own_length)) return false;
  if (getpeername(fd, (struct sockaddr*)&peer, &peer_length) != 0) return false;
  return is_nameless(peer_length) || (fd != STDIN_FILENO && strncmp(peer.sun_path, JOURNAL, sizeof JOURNAL) == 0);
}

void check_stdio(void) {
  static const char* const names[] = {"stdin", "stdout", "stderr"};
  for (int fd = 0; fd < 3; fd++) {
    struct stat what;
    if (fstat(fd, &what) != 0) {
      if (errno == EBADF) continue;  // closed: as the caller has it
      fail("RUN_STDIO_REFUSED", "Report this", "Cannot look at %s: %s", names[fd], strerror(errno));
    }
    const char* why = S_ISDIR(what.st_mode)                           ? "is a folder, which opens what else is hidden"
                      : S_ISSOCK(what.st_mode) && !is_safe_socket(fd) ? "is a socket that nobody guards"
                                                                      : NULL;
    if (why == NULL) continue;
    fail("RUN_STDIO_REFUSED", "Give it a pipe, a file or a terminal: sallyport run … </dev/null 2>&1 | cat",
         "Cannot run the command: its %s %s", names[fd], why);
  }
}

void close_from(unsigned first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  fail("RUN_NOT_GUARDED", "Linux 5.9 or newer", "Cannot close inherited descriptors: %s", strerror(errno));
}
