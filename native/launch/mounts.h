// SPDX-License-Identifier: Apache-2.0
// A mount namespace of the command's own, in which root without CAP_SYS_ADMIN finds nothing that undoes the guard.
#pragma once
#include "word.h"

/** Makes the namespace: before the word, so that the daemon can see which it is. What the host mounts later appears. */
void separate_mounts(void);

/**
 * Within it. Read-only: /sys, every cgroup file system, /proc/sys and the like. Empty: bpffs, debugfs, tracefs, and
 * what `word` hides. Disks and devices that reach round the kernel's files are covered. What the host mounts later
 * appears, but not there. `word` is NULL for a caller who may not say what is hidden: then only the usual folders of a
 * daemon are. The working directory is entered anew, lest it be one that is covered.
 */
void guard_mounts(const struct word* word);
