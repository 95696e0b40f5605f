// SPDX-License-Identifier: Apache-2.0
/* HTTP/1.1 over the daemon's Unix socket, by hand: one request, one answer, bounded in bytes and time. */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The daemon tags a cgroup and opens listeners: some ms. What takes longer is stuck. */
#define ANSWER_WAIT_MS 5000
/* A runtime that starts on a loaded machine to say which containers are agents. */
#define UNDECIDED_WAIT_MS 10000
#define ANSWER_BYTES_MAX (64 * 1024)

enum Answer { ANSWERED_YES, ANSWERED_NO, SILENT };

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, long deadline_ms) {
  for (;;) {
    long left = deadline_ms - now_ms();
    struct pollfd poller = {.fd = fd, .events = events};
    int ready = left <= 0 ? 0 : poll(&poller, 1, (int)left);
    if (ready > 0) return 1;
    if (ready == 0 || errno != EINTR) return 0;
  }
}

long read_all(int fd, char* buffer, size_t bytes) {
  size_t had = 0;
  for (;;) {
    ssize_t got = read(fd, buffer + had, bytes - had);
    if (got == 0) return (long)had;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    had += (size_t)got;
    if (had == bytes) return -1;
  }
}

static int copy_value(char* to, const char* value) {
  if (value[0] != '/' || strlen(value) >= PATH_BYTES_MAX) return 0;
  strcpy(to, value);
  return 1;
}

int read_settings(struct Settings* settings, char* why, size_t why_bytes) {
  char path[PATH_BYTES_MAX], text[3 * PATH_BYTES_MAX];
  memset(settings, 0, sizeof *settings);
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 16);
  if (length <= 0) return snprintf(why, why_bytes, "Cannot find out where sallyport-hook lies"), 0;
  path[length] = 0;
  strcpy(strrchr(path, '/') + 1, "hook.conf");
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat about;
  if (fd < 0 || fstat(fd, &about) != 0 || about.st_uid != 0 || (about.st_mode & 022) != 0) {
    if (fd >= 0) close(fd);
    return snprintf(why, why_bytes, "Cannot use %s: it is missing or not root's alone", path), 0;
  }
  long bytes = read_all(fd, text, sizeof text - 1);
  close(fd);
  text[bytes < 0 ? 0 : bytes] = 0;
  char* rest = text;
  for (char* line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    int ok = 1;
    if (strncmp(line, "socket=", 7) == 0) ok = copy_value(settings->socket, line + 7);
    if (strncmp(line, "undecided=", 10) == 0) ok = copy_value(settings->undecided, line + 10);
    if (strncmp(line, "runtime=", 8) == 0) ok = copy_value(settings->runtime, line + 8);
    if (!ok) settings->socket[0] = 0;
  }
  if (bytes >= 0 && settings->socket[0] && settings->undecided[0] && settings->runtime[0]) return 1;
  return snprintf(why, why_bytes, "Cannot understand %s; run: sallyport hooks install", path), 0;
}

static int dial(const char* path, long deadline_ms) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  /* EAGAIN: the backlog is full, which AF_UNIX cannot be polled for. */
  while (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) {
    struct timespec moment = {.tv_nsec = 5000000};
    if ((errno != EAGAIN && errno != EINTR) || now_ms() > deadline_ms) return close(fd), -1;
    nanosleep(&moment, NULL);
  }
  return fd;
}

static int send_all(int fd, const char* bytes, size_t length, long deadline_ms) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN && wait_for(fd, POLLOUT, deadline_ms)) continue;
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return 0;
    bytes += sent;
    length -= (size_t)sent;
  }
  return 1;
}

/* The value of a JSON string member, cut to the buffer; escapes other than \" and \\ become a space. */
static int json_text(const char* json, const char* name, char* out, size_t bytes) {
  const char* at = strstr(json, name);
  size_t length = 0;
  if (at == NULL) return 0;
  for (at += strlen(name); *at && *at != '"' && length + 1 < bytes; at++) {
    char letter = *at;
    if (letter == '\\' && at[1]) letter = *++at == '"' || *at == '\\' ? *at : ' ';
    out[length++] = (unsigned char)letter < ' ' ? ' ' : letter;
  }
  out[length] = 0;
  return length > 0;
}

static enum Answer ask_daemon(const char* path, const char* state, size_t bytes, char* why, size_t why_bytes) {
  static char answer[ANSWER_BYTES_MAX];
  char head[256], text[MESSAGE_BYTES_MAX], remedy[MESSAGE_BYTES_MAX];
  long deadline_ms = now_ms() + ANSWER_WAIT_MS;
  size_t had = 0;
  int fd = dial(path, deadline_ms);
  if (fd < 0) return SILENT;
  int head_bytes = snprintf(head, sizeof head,
                            "POST /v1/hooks/oci HTTP/1.1\r\nhost: sallyport\r\nconnection: close\r\n"
                            "content-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                            bytes);
  int sent = send_all(fd, head, (size_t)head_bytes, deadline_ms) && send_all(fd, state, bytes, deadline_ms);
  while (sent && had < sizeof answer - 1 && wait_for(fd, POLLIN, deadline_ms)) {
    ssize_t got = recv(fd, answer + had, sizeof answer - 1 - had, 0);
    if (got <= 0) break;
    had += (size_t)got;
    answer[had] = 0;
    if (strstr(answer, "}\n") != NULL) break; /* the daemon's answers are one line */
  }
  close(fd);
  answer[had] = 0;
  char* body = strstr(answer, "\r\n\r\n");
  if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || body == NULL || strstr(body, "}\n") == NULL) return SILENT;
  if (strncmp(answer + 9, "200 ", 4) == 0) return ANSWERED_YES;
  if (!json_text(body, "\"message\":\"", text, sizeof text)) strcpy(text, "the daemon refused it");
  if (!json_text(body, "\"remedy\":\"", remedy, sizeof remedy)) remedy[0] = 0;
  snprintf(why, why_bytes, "%s. %s", text, remedy);
  return ANSWERED_NO;
}

/* In the child: the state as stdin from a file without a name, the words to `out`, a fixed environment. */
static void become(const char* program, const char* state, size_t bytes, int out) {
  char* const argv[] = {(char*)program, NULL};
  char* const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL};
  FILE* input = tmpfile();
  if (input == NULL || fwrite(state, 1, bytes, input) != bytes || fflush(input) != 0) _exit(127);
  rewind(input);
  int nothing = open("/dev/null", O_WRONLY);
  setpgid(0, 0);
  if (dup2(fileno(input), 0) < 0 || dup2(out, 1) < 0 || dup2(nothing, 2) < 0) _exit(127);
  closefrom(3);
  execve(program, argv, environment);
  _exit(127);
}

/* Its wait status. Past the deadline it is killed with all that it started; -1 if nothing is known of it. */
static int reap(pid_t child, long deadline_ms) {
  const struct timespec pause = {0, 5 * 1000 * 1000};
  int status = -1;
  for (;;) {
    pid_t found = waitpid(child, &status, WNOHANG);
    if (found == child) return status;
    if (found < 0 && errno != EINTR) return -1;
    if (now_ms() >= deadline_ms) break;
    nanosleep(&pause, NULL);
  }
  kill(-child, SIGKILL);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

static int ask_undecided(const char* program, const char* state, size_t bytes, char* why, size_t why_bytes) {
  struct stat about;
  int ends[2], status = -1;
  int found = stat(program, &about) == 0;
  if (!found && errno == ENOENT) return 1; /* the settings make no container an agent */
  snprintf(why, why_bytes,
           "Sallyport is not running and cannot tell whether this container is guarded. Start sallyport, or "
           "run: sallyport hooks remove");
  if (!found || about.st_uid != 0 || (about.st_mode & 022) != 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return 0;
  pid_t child = fork();
  if (child == 0) become(program, state, bytes, ends[1]);
  close(ends[1]);
  if (child < 0) return close(ends[0]), 0;
  setpgid(child, child); /* here as well: it may not have come to it yet when it must be killed */
  char words[MESSAGE_BYTES_MAX];
  size_t had = 0;
  long deadline_ms = now_ms() + UNDECIDED_WAIT_MS;
  while (had < sizeof words - 1 && wait_for(ends[0], POLLIN, deadline_ms)) {
    ssize_t got = read(ends[0], words + had, sizeof words - 1 - had);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) break;
    had += (size_t)got;
  }
  close(ends[0]);
  status = reap(child, deadline_ms);
  while (had > 0 && words[had - 1] == '\n') had--;
  words[had] = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 3 && had > 0) snprintf(why, why_bytes, "%s", words);
  return 0;
}

/* Root of the host, not of a user namespace. Source: user_namespaces(7), uid_map. */
static int is_host_root(void) {
  char map[128];
  unsigned inside = 1, outside = 1, count = 0;
  if (geteuid() != 0) return 0;
  int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 1;
  ssize_t bytes = read(fd, map, sizeof map - 1);
  close(fd);
  if (bytes <= 0) return 1;
  map[bytes] = 0;
  return sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 && count == UINT32_MAX;
}

int may_start(const struct Settings* settings, const char* state, size_t state_bytes, char* why, size_t why_bytes) {
  /* A rootless container is its user's: no matcher of containers means it, and it may not ask. */
  if (!is_host_root()) return 1;
  switch (ask_daemon(settings->socket, state, state_bytes, why, why_bytes)) {
    case ANSWERED_YES:
      return 1;
    case ANSWERED_NO:
      return 0;
    default:
      return ask_undecided(settings->undecided, state, state_bytes, why, why_bytes);
  }
}
