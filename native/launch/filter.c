// SPDX-License-Identifier: Apache-2.0
// The system calls that the command does without.
#include "filter.h"

#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "failure.h"

struct denial {
  int call;
  int error;
};

/** Whatever the caller's rights. ENOSYS where programs fall back to something else, EPERM where they should say it. */
static const struct denial DENIED[] = {
    // IORING_OP_SOCKET makes sockets without socket(2); libuv and liburing's users fall back to epoll
    {SCMP_SYS(io_uring_setup), ENOSYS},
    {SCMP_SYS(io_uring_enter), ENOSYS},
    {SCMP_SYS(io_uring_register), ENOSYS},
    // CLONE_INTO_CGROUP asks for no writable mount, only for a folder; without it glibc and Go use clone(2)
    {SCMP_SYS(clone3), ENOSYS},
    // opens pinned maps and links, where unprivileged_bpf_disabled is 0 for everybody
    {SCMP_SYS(bpf), EPERM},
    // with perf_event_paranoid -1 it reads every process, the daemon too
    {SCMP_SYS(perf_event_open), EPERM},
    // other code in the kernel
    {SCMP_SYS(init_module), EPERM},
    {SCMP_SYS(finit_module), EPERM},
    {SCMP_SYS(delete_module), EPERM},
    {SCMP_SYS(kexec_load), EPERM},
    {SCMP_SYS(kexec_file_load), EPERM},
    // the kernel starts /sbin/request-key outside for it, and resolves names by it (dns_resolver); keys are the user's
    {SCMP_SYS(request_key), ENOSYS},
    {SCMP_SYS(add_key), ENOSYS},
    {SCMP_SYS(keyctl), ENOSYS},
};

/** Where Landlock is missing. Left then: /proc/PID/mem of the same user's processes (SECURITY.md). */
static const struct denial DENIED_WITHOUT_SCOPE[] = {
    {SCMP_SYS(ptrace), EPERM},
    {SCMP_SYS(process_vm_readv), EPERM},
    {SCMP_SYS(process_vm_writev), EPERM},
    {SCMP_SYS(pidfd_getfd), EPERM},
};

static _Noreturn void fail_with(int error) {
  fail("RUN_NOT_GUARDED", "A kernel with CONFIG_SECCOMP_FILTER=y", "Cannot install the filter of system calls: %s",
       strerror(error));
}

static void deny(scmp_filter_ctx context, int call, int error, unsigned count, struct scmp_arg_cmp compare) {
  int result = seccomp_rule_add_array(context, SCMP_ACT_ERRNO((uint16_t)error), call, count, &compare);
  if (result != 0) fail_with(-result);
}

static void deny_all(scmp_filter_ctx context, const struct denial* denials, size_t count) {
  for (size_t index = 0; index < count; index++) {
    deny(context, denials[index].call, denials[index].error, 0, (struct scmp_arg_cmp){0});
  }
}

/**
 * Leaves AF_INET, AF_INET6, AF_UNIX and routing netlink, which getifaddrs(3) needs. Compared as 64 bits, of which the
 * kernel takes 32: more is denied then, never less. 32-bit x86's socketcall(2) hides its arguments in memory, so it
 * makes no sockets at all; the plain calls, which Linux 4.3 brought to 32 bits, are judged like any.
 */
static void deny_families(scmp_filter_ctx context, const struct filter* filter) {
  const int error = EAFNOSUPPORT;
  for (unsigned family = 0; family < AF_NETLINK; family++) {
    if (family == AF_INET || family == AF_INET6 || (family == AF_UNIX && !filter->unix_denied)) continue;
    deny(context, SCMP_SYS(socket), error, 1, SCMP_A0(SCMP_CMP_EQ, family));
  }
  deny(context, SCMP_SYS(socket), error, 1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
  const struct scmp_arg_cmp other_netlink[] = {SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_NE, 0)};
  int result = seccomp_rule_add_array(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 2, other_netlink);
  if (result != 0) fail_with(-result);
  deny(context, SCMP_SYS(socketpair), error, 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
  if (!filter->unix_denied) return;
  // One end of a pair of datagram sockets can be sent or connected to any path. For Unix sockets, "raw" is datagram.
  const uint64_t type = 0xf;  // SOCK_TYPE_MASK
  deny(context, SCMP_SYS(socketpair), error, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, type, SOCK_DGRAM));
  deny(context, SCMP_SYS(socketpair), error, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, type, SOCK_RAW));
}

/** Landlock's scopes leave this out: a daemon of the same user could be left without descriptors. */
static void deny_limits_of_others(scmp_filter_ctx context) {
  const struct scmp_arg_cmp another[] = {SCMP_A0(SCMP_CMP_NE, 0), SCMP_A2(SCMP_CMP_NE, 0)};
  int result = seccomp_rule_add_array(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 2, another);
  if (result != 0) fail_with(-result);
}

/** The caller's shell outside would read what they put into the terminal. The kernel looks at 32 bits of the request.
 */
static void deny_typing(scmp_filter_ctx context) {
  deny(context, SCMP_SYS(ioctl), EPERM, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffU, TIOCSTI));
  deny(context, SCMP_SYS(ioctl), EPERM, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffU, TIOCLINUX));  // pastes
}

void install_filter(const struct filter* filter) {
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
  if (context == NULL) fail_with(ENOMEM);
  int result = seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0);  // decided elsewhere
  // x32 and whatever else the kernel can speak: no such calls
  if (result == 0) result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
#if defined(__x86_64__)
  if (result == 0) result = seccomp_arch_add(context, SCMP_ARCH_X86);
#elif defined(__aarch64__)
  if (result == 0) result = seccomp_arch_add(context, SCMP_ARCH_ARM);
#endif
  if (result != 0) fail_with(-result);
  deny_all(context, DENIED, sizeof DENIED / sizeof *DENIED);
  if (!filter->scoped) {
    deny_all(context, DENIED_WITHOUT_SCOPE, sizeof DENIED_WITHOUT_SCOPE / sizeof *DENIED_WITHOUT_SCOPE);
  }
  deny_families(context, filter);
  deny_typing(context);
  deny_limits_of_others(context);
  result = seccomp_load(context);
  if (result != 0) fail_with(-result);
  seccomp_release(context);
}
