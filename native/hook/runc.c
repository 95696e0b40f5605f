// SPDX-License-Identifier: Apache-2.0
/*
 * sallyport-runc: what containerd calls for Docker. `create` is the real one's, then the daemon is asked; the
 * container waits in runc's exec fifo until `start`. One that may not start is deleted. Source: runc(8).
 */
#include "runc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ask.h"

/* containerd gives about ten; a caller with more is no container runtime. */
#define ARGUMENTS_MAX 256

struct Call {
  int subcommand; /* place in argv, 0: none */
  const char* log;
};

/* runc's global options that take a value in the next word. */
static int takes_value(const char* word) {
  static const char* const names[] = {"--root", "--log", "--log-format", "--criu", "--rootless"};
  for (size_t at = 0; at < sizeof names / sizeof *names; at++)
    if (strcmp(word, names[at]) == 0) return 1;
  return 0;
}

static struct Call read_call(int argc, char** argv) {
  struct Call call = {0};
  for (int at = 1; at < argc; at++) {
    if (strcmp(argv[at], "--log") == 0 && at + 1 < argc) call.log = argv[at + 1];
    if (strncmp(argv[at], "--log=", 6) == 0) call.log = argv[at] + 6;
    if (argv[at][0] != '-') {
      call.subcommand = at;
      break;
    }
    if (takes_value(argv[at])) at++;
  }
  return call;
}

static int run(char* const argv[]) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    execv(argv[0], argv);
    _exit(127);
  }
  if (child < 0) return 127;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The real runtime's words on `argv`, or -1. */
static long heard(char* const argv[], char* buffer, size_t bytes) {
  int ends[2], status = 0;
  if (pipe(ends) != 0) return -1;
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    closefrom(3);
    execv(argv[0], argv);
    _exit(127);
  }
  close(ends[1]);
  long had = child < 0 ? -1 : read_all(ends[0], buffer, bytes);
  close(ends[0]);
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status == 0 ? had : -1;
}

/* Where containerd looks for the reason: one JSON object a line. */
static void tell(const char* log, const char* why) {
  fprintf(stderr, "sallyport: %s\n", why);
  FILE* file = log == NULL ? NULL : fopen(log, "a");
  if (file == NULL) return;
  fputs("{\"level\":\"error\",\"msg\":\"sallyport: ", file);
  for (const char* at = why; *at; at++) {
    if (*at == '"' || *at == '\\') fputc('\\', file);
    fputc((unsigned char)*at < ' ' ? ' ' : *at, file);
  }
  fputs("\"}\n", file);
  fclose(file);
}

int stand_for_runc(int argc, char** argv) {
  static char state[STATE_BYTES_MAX];
  struct Settings settings;
  struct Call call = read_call(argc, argv);
  char why[MESSAGE_BYTES_MAX] = "", *other[ARGUMENTS_MAX];
  if (argc < 1 || argc >= ARGUMENTS_MAX - 4 || !read_settings(&settings, why, sizeof why)) {
    tell(call.log, why[0] ? why : "too many arguments");
    return 1;
  }
  argv[0] = settings.runtime;
  if (call.subcommand == 0 || strcmp(argv[call.subcommand], "create") != 0) {
    execv(argv[0], argv);
    fprintf(stderr, "sallyport: Cannot run %s: %s\n", argv[0], strerror(errno));
    return 127;
  }
  int code = run(argv);
  if (code != 0) return code;
  int count = call.subcommand;
  memcpy(other, argv, (size_t)count * sizeof *argv);
  other[count] = "state";
  other[count + 1] = argv[argc - 1]; /* runc create takes exactly one argument, the id, behind its options */
  other[count + 2] = NULL;
  long bytes = heard(other, state, sizeof state);
  if (bytes > 0 && may_start(&settings, state, (size_t)bytes, why, sizeof why)) return 0;
  if (bytes <= 0) snprintf(why, sizeof why, "Cannot read the state of container %s", argv[argc - 1]);
  other[count] = "delete";
  other[count + 1] = "--force";
  other[count + 2] = argv[argc - 1];
  other[count + 3] = NULL;
  run(other);
  tell(call.log, why);
  return 1;
}
