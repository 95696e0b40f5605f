// SPDX-License-Identifier: Apache-2.0
// Which other processes the command can act on: those that it started itself.
#pragma once
#include <stdbool.h>

/**
 * Enters a Landlock domain: no ptrace(2), process_vm_writev(2), pidfd_getfd(2), /proc/PID/mem, /proc/PID/root of a
 * process outside, whoever owns it; from Linux 6.12 on no signals to such either. False where the kernel runs without
 * Landlock. Needs no_new_privs or CAP_SYS_ADMIN. Source: Documentation/userspace-api/landlock.rst, "Ptrace
 * restrictions".
 */
bool enter_scope(void);
