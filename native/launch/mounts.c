// SPDX-License-Identifier: Apache-2.0
// A mount namespace of the command's own. Source: mount_namespaces(7), mount_setattr(2).
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices.h"
#include "failure.h"

// Of linux/mount.h, which does not go together with sys/mount.h of the oldest system we build on.
struct mount_attributes {
  uint64_t set, clear, propagation, user_namespace;
};
static const uint64_t ATTRIBUTE_READ_ONLY = 1;
#ifndef AT_RECURSIVE
enum { AT_RECURSIVE = 0x8000 };
#endif

/** Kernel file systems by which root changes the host, wherever they are mounted. */
static const char* const READ_ONLY_TYPES[] = {
    "sysfs",  "cgroup",     "cgroup2",   "bpf",     "debugfs", "tracefs", "configfs",   "efivarfs",
    "pstore", "securityfs", "selinuxfs", "smackfs", "fusectl", "nfsd",    "rpc_pipefs", "binfmt_misc"};
/** Those that are not even read: a pinned map can be opened and written through a read-only mount. */
static const char* const EMPTY_TYPES[] = {"bpf", "debugfs", "tracefs"};
/** Of each proc: core_pattern, modprobe, binfmt_misc and sysrq run code outside. As container runtimes have it. */
static const char* const PROC_READ_ONLY[] = {"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"};
/** A daemon's usual folders. */
static const char* const USUAL_HIDDEN[] = {"/var/lib/sallyport", "/etc/sallyport"};
static const char* const USUAL_FIXED[] = {"/run/sallyport"};
/** Files that at(1) and crontab(1), which are setuid or setgid, leave for daemons outside. */
static const char* const SPOOLS[] = {"/var/spool/cron", "/var/spool/at"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static _Noreturn void fail_to(const char* what, const char* path) {
  fail("RUN_NOT_GUARDED", "Run it as a user, without sudo; see: sallyport doctor", "Cannot %s %s: %s", what, path,
       strerror(errno));
}

static bool is_missing(void) {
  return errno == ENOENT || errno == ENOTDIR;
}

static bool is_one_of(const char* word, const char* const* all, size_t count) {
  for (size_t index = 0; index < count; index++) {
    if (strcmp(word, all[index]) == 0) return true;
  }
  return false;
}

/** Read-only, and nothing that the host mounts below it later arrives. */
static bool fix_mount(const char* path, int depth) {
  struct mount_attributes attributes = {.set = ATTRIBUTE_READ_ONLY, .propagation = MS_PRIVATE};
  return syscall(SYS_mount_setattr, AT_FDCWD, path, depth, &attributes, sizeof attributes) == 0;
}

/** False where its path leads elsewhere, since something is mounted over it: then nobody inside gets to it either. */
static bool fix_listed_mount(const char* path) {
  if (fix_mount(path, 0)) return true;
  if (!is_missing() && errno != EINVAL) fail_to("make read-only", path);
  return false;
}

/** A folder or file with all below it, as it is; one that is not there needs nothing. */
static void fix_path(const char* path) {
  if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) != 0) {
    if (is_missing()) return;
    fail_to("cover", path);
  }
  if (!fix_mount(path, AT_RECURSIVE)) fail_to("make read-only", path);
}

void cover_folder(const char* path) {
  const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount("none", path, "tmpfs", flags, "size=4k,nr_inodes=2,mode=555") != 0) fail_to("cover", path);
}

void cover_file(const char* path) {
  if (mount("/dev/null", path, NULL, MS_BIND, NULL) != 0) fail_to("cover", path);
}

static void hide_path(const char* path) {
  struct stat what;
  if (stat(path, &what) != 0) {
    if (is_missing()) return;
    fail_to("hide", path);
  }
  if (S_ISDIR(what.st_mode)) {
    cover_folder(path);
  } else {
    cover_file(path);
  }
}

static void guard_proc(const char* proc) {
  char path[4096];
  for (size_t index = 0; index < COUNT(PROC_READ_ONLY); index++) {
    if ((size_t)snprintf(path, sizeof path, "%s/%s", proc, PROC_READ_ONLY[index]) < sizeof path) fix_path(path);
  }
}

/** What is mounted now, one line each: read at once, since the work on it changes it. */
static FILE* list_mounts(void) {
  static char* lines;
  size_t length = 0;
  char buffer[1 << 14];
  FILE* list = open_memstream(&lines, &length);
  int fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || list == NULL) fail_to("read", "/proc/self/mounts");
  for (ssize_t count; (count = read(fd, buffer, sizeof buffer)) != 0;) {
    if (count < 0 || fwrite(buffer, 1, (size_t)count, list) != (size_t)count) fail_to("read", "/proc/self/mounts");
  }
  close(fd);
  if (fclose(list) != 0 || length == 0) fail_to("read", "/proc/self/mounts");
  return fmemopen(lines, length, "r");
}

static void guard_kernel_file_systems(void) {
  FILE* before = list_mounts();
  for (const struct mntent* entry; (entry = getmntent(before)) != NULL;) {
    bool is_fixed =
        strncmp(entry->mnt_dir, "/sys/", 5) == 0 || is_one_of(entry->mnt_type, READ_ONLY_TYPES, COUNT(READ_ONLY_TYPES));
    if (is_fixed && !fix_listed_mount(entry->mnt_dir)) continue;
    if (is_one_of(entry->mnt_type, EMPTY_TYPES, COUNT(EMPTY_TYPES))) cover_folder(entry->mnt_dir);
    if (strcmp(entry->mnt_type, "proc") == 0) guard_proc(entry->mnt_dir);
  }
  endmntent(before);
}

void separate_mounts(void) {
  if (unshare(CLONE_NEWNS) != 0) fail_to("make a mount namespace for", "the command");
  if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) fail_to("separate the mounts below", "/");
}

void guard_mounts(const struct word* word) {
  char* folder = getcwd(NULL, 0);
  if (folder == NULL) fail_to("tell", "the working directory");
  guard_kernel_file_systems();
  guard_devices();
  for (size_t index = 0; index < COUNT(SPOOLS); index++) fix_path(SPOOLS[index]);
  for (size_t index = 0; index < COUNT(USUAL_HIDDEN); index++) hide_path(USUAL_HIDDEN[index]);
  for (size_t index = 0; index < COUNT(USUAL_FIXED); index++) fix_path(USUAL_FIXED[index]);
  for (size_t index = 0; word != NULL && index < word->fixed_count; index++) fix_path(word->fixed[index]);
  for (size_t index = 0; word != NULL && index < word->hidden_count; index++) hide_path(word->hidden[index]);
  if (chdir(folder) != 0) fail_to("enter", folder);
  free(folder);
}
