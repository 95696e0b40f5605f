// SPDX-License-Identifier: Apache-2.0
// Capabilities and user of the command.
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failure.h"

/**
 * What root inside keeps: what package managers, sudo and su live on. The rest goes, also what later kernels add:
 *   SYS_ADMIN, SYS_MODULE, BPF, PERFMON, SYS_RAWIO, SYS_BOOT, MKNOD   undo the guard, or reach the disk below it
 *   NET_ADMIN, NET_RAW             change routes, filters and marks; send what no connect hook sees
 *   SYS_PTRACE, CHECKPOINT_RESTORE act through processes that nobody guards
 *   DAC_READ_SEARCH                open_by_handle_at(2) ignores what is hidden; DAC_OVERRIDE does for files
 *   MAC_*, AUDIT_*, SYSLOG         turn off or read what watches the host; its socket is denied anyway
 *   SYS_TIME, WAKE_ALARM           move the clock that records, leases and deadlines go by
 *   SYS_NICE, IPC_OWNER, LEASE, LINUX_IMMUTABLE, SYS_PACCT, SYS_TTY_CONFIG, BLOCK_SUSPEND, NET_BROADCAST
 *                                  starve, read or block what belongs to others; no job was seen to need them
 */
static const uint64_t KEPT =
    1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID  // install files
    | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETPCAP | 1ULL << CAP_SETFCAP   // sudo, su, ping
    | 1ULL << CAP_KILL                                                                      // own jobs of other users
    | 1ULL << CAP_NET_BIND_SERVICE | 1ULL << CAP_SYS_CHROOT | 1ULL << CAP_IPC_LOCK          // servers, chroots, gpg
    | 1ULL << CAP_SYS_RESOURCE;                                                             // sudo and su set limits

struct capabilities {
  uint64_t effective, permitted, inheritable;
};

static const char REMEDY[] = "Run it as a user: sallyport run --user NAME; or without sudo";

static _Noreturn void fail_to(const char* what) {
  fail("RUN_NOT_GUARDED", REMEDY, "Cannot %s: %s", what, strerror(errno));
}

static struct capabilities own_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) != 0) fail_to("read capabilities");
  return (struct capabilities){
      .effective = (uint64_t)data[1].effective << 32 | data[0].effective,
      .permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted,
      .inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable,
  };
}

bool may_bind_root(void) {
  uint64_t needed = 1ULL << CAP_SETPCAP | 1ULL << CAP_SYS_ADMIN;
  return (own_capabilities().effective & needed) == needed;
}

struct user* find_user(const char* name) {
  errno = 0;
  const struct passwd* entry = getpwnam(name);
  if (entry == NULL) fail("RUN_USER_UNKNOWN", "See: getent passwd", "Cannot run as %s: there is no such user", name);
  struct user* user = calloc(1, sizeof *user);
  if (user == NULL) fail_to("remember the user");
  *user = (struct user){.name = strdup(entry->pw_name),
                        .home = strdup(entry->pw_dir),
                        .shell = strdup(entry->pw_shell),
                        .uid = entry->pw_uid,
                        .gid = entry->pw_gid};
  getgrouplist(user->name, user->gid, NULL, &user->group_count);
  user->groups = calloc((size_t)user->group_count + 1, sizeof(gid_t));
  if (user->groups == NULL || getgrouplist(user->name, user->gid, user->groups, &user->group_count) < 0) {
    fail_to("find the user's groups");
  }
  return user;
}

void bound_capabilities(void) {
  for (int capability = 0; capability < 64; capability++) {
    if (KEPT >> capability & 1) continue;
    int had = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (had < 0) return;  // above the last one that this kernel knows
    if (had == 1 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) fail_to("drop a capability");
  }
}

void become_user(const struct user* user) {
  if (setgroups((size_t)user->group_count, user->groups) != 0) fail_to("set the user's groups");
  if (setresgid(user->gid, user->gid, user->gid) != 0) fail_to("set the user's group");
  if (setresuid(user->uid, user->uid, user->uid) != 0) fail_to("become the user");
}

/** What the caller had raised for its children. A file with capabilities clears it, so nothing of ours is in it. */
static uint64_t ambient_capabilities(void) {
  uint64_t ambient = 0;
  for (int capability = 0; capability < 64; capability++) {
    int is_set = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0);
    if (is_set < 0) break;
    ambient |= (uint64_t)is_set << capability;
  }
  return ambient;
}

void drop_capabilities(void) {
  struct capabilities own = own_capabilities();
  uint64_t permitted = own.permitted & KEPT & (geteuid() == 0 ? ~0ULL : ambient_capabilities());
  uint64_t inheritable = own.inheritable & KEPT;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {
      {.effective = (uint32_t)permitted, .permitted = (uint32_t)permitted, .inheritable = (uint32_t)inheritable},
      {.effective = permitted >> 32, .permitted = permitted >> 32, .inheritable = inheritable >> 32},
  };
  if (syscall(SYS_capset, &header, data) != 0) fail_to("drop capabilities");
}

void forbid_new_privileges(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail_to("forbid new privileges");
}
