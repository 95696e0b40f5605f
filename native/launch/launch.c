// SPDX-License-Identifier: Apache-2.0
/*
 * sallyport-launch [--json] [--no-new-privs] [--user NAME] [--files N] [--ignore HEX] -- CMD [ARG...]
 *
 * What `sallyport run` starts in place of the command. It waits on descriptor 3 until the daemon has put it into a
 * guarded cgroup, closes every way that the cgroup's hooks do not see, and becomes the command. Without the word, or
 * when a single step fails, it ends with 125 and the command never runs.
 *
 * Any local user may start it with file capabilities on it (cap_setpcap,cap_sys_admin+ep), which let the command use
 * sudo and still stay bound. It is safe then, because
 *
 * 1. it gives nothing: what it had is dropped before execve, the command gets the caller's own rights or fewer;
 *
 * 2. what it does to a setuid program inside is fixed here and fails closed. No capability is missing by which a
 *    program changes or lays down its identity: SETUID, SETGID and SETPCAP stay. Denied calls return errors, never
 *    success, and none is a set*id. What is read-only or empty are kernel interfaces, disks, spools and folders of
 *    Sallyport, never a file that says who may do what;
 *
 * 3. the caller's say is little: whether there are Unix sockets, no_new_privs, fewer open files, ignored signals; any
 *    user can take these from a child without us. Paths to hide are taken from root only, and so is another user.
 *    What sudo logs is lost, though, unless the door to the journal is open: it reaches neither syslog nor audit;
 *
 * 4. its own environment is not looked at (the loader is in secure mode; the command's comes through the pipe), and no
 *    file is read but /proc/self/mounts and the names in /dev;
 *
 * 5. a debugger that holds it makes the kernel withhold the capabilities; it goes on with no_new_privs, as without any.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "descriptors.h"
#include "failure.h"
#include "filter.h"
#include "mounts.h"
#include "privileges.h"
#include "scope.h"
#include "word.h"

enum { WORD_FD = 3, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

struct orders {
  bool new_privileges_forbidden;
  const char* user;
  const char* files;
  const char* ignored;
  char** command;
};

static struct orders read_arguments(char** argv) {
  struct orders orders = {0};
  for (argv++; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
    if (strcmp(*argv, "--json") == 0) {
      fail_in_json();
    } else if (strcmp(*argv, "--no-new-privs") == 0) {
      orders.new_privileges_forbidden = true;
    } else if (strcmp(*argv, "--user") == 0 && argv[1] != NULL) {
      orders.user = *++argv;
    } else if (strcmp(*argv, "--files") == 0 && argv[1] != NULL) {
      orders.files = *++argv;
    } else if (strcmp(*argv, "--ignore") == 0 && argv[1] != NULL) {
      orders.ignored = *++argv;
    } else {
      fail("USAGE", "Start commands with: sallyport run --as AGENT -- CMD", "Cannot understand %s", *argv);
    }
  }
  if (*argv == NULL || argv[1] == NULL) fail("USAGE", "sallyport run --as AGENT -- CMD", "Name the command to run");
  orders.command = argv + 1;
  return orders;
}

/** The soft limit on open files that the caller has; Node raises its own and with it ours. Never above what we have. */
static void limit_files(const char* text) {
  struct rlimit limit;
  char* end = NULL;
  unsigned long long files = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (files < limit.rlim_cur) limit.rlim_cur = files;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/** Signals that the caller ignores, as proc(5) writes SigIgn: what starts us has set all to their defaults. */
static void ignore_signals(const char* text) {
  unsigned long long mask = strtoull(text, NULL, 16);
  for (int number = 1; number <= 64; number++) {
    if (mask >> (number - 1) & 1) signal(number, SIG_IGN);
  }
}

/** Tells `run` that the daemon may look at this process now. Where the pipe goes one way only, nobody waits for it. */
static void say_ready(void) {
  ssize_t ignored = write(WORD_FD, "\n", 1);
  (void)ignored;
}

/** From here on the process is an agent; what it may do is narrowed until it becomes the command. */
static void bind_self(const struct orders* orders, const struct word* word, const struct user* user, bool is_bindable) {
  if (is_bindable) {
    guard_mounts(getuid() == 0 ? word : NULL);
    bound_capabilities();
  }
  if (!is_bindable || orders->new_privileges_forbidden) forbid_new_privileges();
  bool is_scoped = enter_scope();
  install_filter(&(struct filter){.unix_denied = word->unix_denied, .scoped = is_scoped});
  if (user != NULL) become_user(user);
  drop_capabilities();
}

static void introduce(const struct user* user) {
  setenv("USER", user->name, 1);
  setenv("LOGNAME", user->name, 1);
  setenv("HOME", user->home, 1);
  setenv("SHELL", user->shell[0] == '\0' ? "/bin/sh" : user->shell, 1);
}

/** As a shell does and says it. A file without a format of its own is given to /bin/sh. */
static _Noreturn void become(char** command) {
  execvp(command[0], command);
  bool is_missing = errno == ENOENT || errno == ENOTDIR;
  const char* why = is_missing && strchr(command[0], '/') == NULL ? "not found" : strerror(errno);
  fprintf(stderr, "sallyport: %s: %s\n", command[0], why);
  _exit(is_missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

int main(int argc, char** argv) {
  if (argc < 1) return 125;  // execve(2) with no words at all: before Linux 5.18, what follows is the environment
  struct orders orders = read_arguments(argv);
  struct user* user = NULL;
  if (orders.user != NULL) {
    if (getuid() != 0) fail("PRIVILEGE", "sudo sallyport run --user NAME", "Cannot change the user: only root may");
    user = find_user(orders.user);
  }
  check_stdio();
  bool is_bindable = may_bind_root();
  if (!is_bindable && (getuid() == 0 || geteuid() == 0)) {
    fail("RUN_NOT_GUARDED", "Run it as a user, or give root CAP_SYS_ADMIN and CAP_SETPCAP",
         "Cannot run the command as root: here root may not be bound, since it lacks capabilities");
  }
  if (is_bindable) separate_mounts();
  say_ready();
  struct word word = {0};
  read_word(WORD_FD, &word);
  environ = word.environment;
  close_from(WORD_FD);
  bind_self(&orders, &word, user, is_bindable);
  if (user != NULL) introduce(user);
  if (orders.ignored != NULL) ignore_signals(orders.ignored);
  if (orders.files != NULL) limit_files(orders.files);
  become(orders.command);
}
