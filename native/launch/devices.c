// SPDX-License-Identifier: Apache-2.0
// Device nodes that lead below the guard. Terminals, GPUs, kvm, fuse and the like stay: jobs use them.
#include "devices.h"

#include <errno.h>
#include <fnmatch.h>
#include <ftw.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"

/** Character devices, by path; every block device is covered anyway. */
static const char* const DENIED[] = {
    "/dev/mem",    "/dev/kmem",   "/dev/port",      "/dev/cpu/*",     // memory, I/O ports, MSRs
    "/dev/sg*",    "/dev/bsg/*",  "/dev/nvme*",     "/dev/ng[0-9]*",  // disks by raw commands
    "/dev/raw/*",  "/dev/mtd*",   "/dev/vfio/*",    "/dev/uio*",      // flash, devices with DMA
    "/dev/uinput", "/dev/uhid",   "/dev/input/*",   "/dev/hidraw*",   // keys for the host's consoles
    "/dev/ipmi*",  "/dev/vhost*", "/dev/watchdog*", "/dev/crash",     // networks and resets beside ours
};

static bool is_denied(const char* path) {
  for (size_t index = 0; index < sizeof DENIED / sizeof *DENIED; index++) {
    if (fnmatch(DENIED[index], path, 0) == 0) return true;
  }
  return false;
}

static int visit(const char* path, const struct stat* what, int kind, struct FTW* place) {
  (void)place;
  if (kind == FTW_DNR) {
    cover_folder(path);  // not ours to read, but root's inside
  } else if (kind == FTW_F && (S_ISBLK(what->st_mode) || (S_ISCHR(what->st_mode) && is_denied(path)))) {
    cover_file(path);
  }
  return 0;
}

void guard_devices(void) {
  // Symbolic links lead to nodes that are visited themselves; other file systems (pts, shm) have none of these.
  if (nftw("/dev", visit, 16, FTW_PHYS | FTW_MOUNT) == 0) return;
  fail("RUN_NOT_GUARDED", "See: sallyport doctor", "Cannot look through /dev: %s", strerror(errno));
}
