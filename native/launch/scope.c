// SPDX-License-Identifier: Apache-2.0
// Which other processes the command can act on.
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failure.h"

// Of linux/landlock.h; that of the oldest system we build on lacks `scoped`.
struct ruleset {
  uint64_t handled_access_fs, handled_access_net, scoped;
};
struct path_beneath {
  uint64_t allowed_access;
  int32_t parent_fd;
} __attribute__((packed));

enum { ASK_VERSION = 1, RULE_PATH_BENEATH = 1 };
static const uint64_t ACCESS_MAKE_BLOCK = 1 << 11, ACCESS_REFER = 1 << 13, SCOPE_SIGNAL = 1 << 1;

static _Noreturn void fail_to(const char* what) {
  fail("RUN_NOT_GUARDED", "See: sallyport doctor", "Cannot keep the command off other processes: %s: %s", what,
       strerror(errno));
}

/**
 * A ruleset must handle something. From version 6 on signals do; before it, making block devices (which nobody inside
 * may), with moving files between folders allowed everywhere, since any ruleset would forbid that unasked.
 */
static int make_ruleset(long version) {
  struct ruleset rules = {0};
  if (version >= 6) {
    rules.scoped = SCOPE_SIGNAL;
    return (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
  }
  rules.handled_access_fs = ACCESS_MAKE_BLOCK | ACCESS_REFER;
  int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0);
  struct path_beneath everywhere = {.allowed_access = ACCESS_REFER, .parent_fd = open("/", O_PATH | O_CLOEXEC)};
  if (fd >= 0 && syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &everywhere, 0) != 0) fail_to("its rule");
  close(everywhere.parent_fd);
  return fd;
}

bool enter_scope(void) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
  if (version < 2) return false;  // the first version cannot allow moving files
  int fd = make_ruleset(version);
  if (fd < 0) fail_to("landlock_create_ruleset");
  if (syscall(SYS_landlock_restrict_self, fd, 0) != 0) fail_to("landlock_restrict_self");
  close(fd);
  return true;
}
