// SPDX-License-Identifier: Apache-2.0
// Device nodes by which root reaches the disk, the memory or the keyboard below everything that guards it.
#pragma once

/** Covers them in /dev, in the caller's own mount namespace. Those that appear later are not: CAP_MKNOD is not there to
 * make them. */
void guard_devices(void);

// In mounts.c. Both end the process with 125 when they cannot.
void cover_folder(const char* path);
void cover_file(const char* path);
