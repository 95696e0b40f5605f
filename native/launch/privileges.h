// SPDX-License-Identifier: Apache-2.0
// Capabilities and user of the command: what it may never get, and who it is.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct user {
  const char* name;
  const char* home;
  const char* shell;
  uid_t uid;
  gid_t gid;
  int group_count;
  gid_t* groups;
};

/** Whether root inside can be kept within bounds: it takes CAP_SETPCAP and CAP_SYS_ADMIN, as root or by file
 * capabilities. */
bool may_bind_root(void);

/** From the host's name service, so before this process is an agent. Ends with 125 when there is no such user. */
struct user* find_user(const char* name);

/** Takes all that is not kept out of the bounding set: no setuid program or file capability inside gives it back. */
void bound_capabilities(void);

/** Uid, gid and groups, for good. Only root gets here. */
void become_user(const struct user* user);

/** Leaves root what the bounding set has; everybody else what was theirs before, never what this file's capabilities
 * gave. */
void drop_capabilities(void);

/** No program started from here on gains anything by its file: setuid, setgid, file capabilities. */
void forbid_new_privileges(void);
