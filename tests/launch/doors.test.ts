/** Ways out that no cgroup hook sees, and ways to the processes beside: each works without the launcher and not with it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findCgroupRoot } from "../../src/kernel/interception.ts";
import { LAUNCH, launch, openFolder, outsider, plain, probe, STRANGER } from "./launcher.ts";

const CGROUP_ROOT = findCgroupRoot();
const USERS = [
  ["root", undefined],
  ["a plain user", STRANGER],
] as const;

/** What it is, how it is tried, what it gives inside; `outside` where it cannot be "ok" on every kernel and for every user. */
interface Attempt {
  readonly name: string;
  readonly words: readonly string[];
  readonly inside: string;
  readonly outside?: RegExp;
}

const socket = (family: number, type: number, protocol = 0) =>
  ["socket", String(family), String(type), String(protocol)] as const;
/** The kernel may be built without the family, and raw sockets are for root. */
const MAY_LACK = /^(ok|EAFNOSUPPORT|EPROTONOSUPPORT|EPERM|ESOCKTNOSUPPORT)$/;

/** What 32-bit calls give where the kernel has none: inside and outside alike, and nothing is left to be refused. */
const NO_32_BIT = "SIGSEGV";

const families: readonly Attempt[] = [
  { name: "an AF_VSOCK socket", words: socket(40, 1), inside: "EAFNOSUPPORT" },
  { name: "an AF_PACKET socket", words: socket(17, 2), inside: "EAFNOSUPPORT", outside: /^(ok|EPERM)$/ },
  { name: "an AF_XDP socket", words: socket(44, 3), inside: "EAFNOSUPPORT", outside: /^(ok|EPERM)$/ },
  { name: "an AF_ALG socket", words: socket(38, 5), inside: "EAFNOSUPPORT", outside: MAY_LACK },
  { name: "an AF_TIPC socket", words: socket(30, 2), inside: "EAFNOSUPPORT", outside: MAY_LACK },
  { name: "an AF_KEY socket", words: socket(15, 3, 2), inside: "EAFNOSUPPORT", outside: MAY_LACK },
  { name: "an AF_BLUETOOTH socket", words: socket(31, 3), inside: "EAFNOSUPPORT", outside: MAY_LACK },
  { name: "an AF_RDS socket", words: socket(21, 5), inside: "EAFNOSUPPORT", outside: MAY_LACK },
  { name: "an AF_SMC socket", words: socket(43, 1), inside: "EAFNOSUPPORT", outside: MAY_LACK },
  { name: "a uevent netlink socket", words: socket(16, 3, 15), inside: "EAFNOSUPPORT" },
  { name: "a generic netlink socket", words: socket(16, 3, 16), inside: "EAFNOSUPPORT" },
  { name: "a sock_diag netlink socket", words: socket(16, 3, 4), inside: "EAFNOSUPPORT" },
  { name: "a netfilter netlink socket", words: socket(16, 3, 12), inside: "EAFNOSUPPORT", outside: MAY_LACK },
  {
    name: "an AF_PACKET socket by a 32-bit call",
    words: ["socket-32", "17", "2"],
    inside: "EAFNOSUPPORT",
    outside: /^(ok|EPERM|SIGSEGV)$/,
  },
  {
    name: "an AF_VSOCK socket by a 32-bit call",
    words: ["socket-32", "40", "1"],
    inside: "EAFNOSUPPORT",
    outside: /^(ok|SIGSEGV)$/,
  },
  {
    name: "an AF_PACKET socket by socketcall",
    words: ["socketcall", "17"],
    inside: "EAFNOSUPPORT",
    outside: /^(ok|EPERM|SIGSEGV)$/,
  },
  {
    name: "any socket by socketcall",
    words: ["socketcall", "2"],
    inside: "EAFNOSUPPORT",
    outside: /^(ok|SIGSEGV)$/,
  },
];

const calls: readonly Attempt[] = [
  { name: "io_uring", words: ["io_uring"], inside: "ENOSYS", outside: /^(ok|EPERM)$/ },
  { name: "an x32 call", words: ["x32"], inside: "ENOSYS", outside: /^(ok|ENOSYS)$/ },
  { name: "typing into the terminal", words: ["type", "exact"], inside: "EPERM", outside: /^(ok|EIO)$/ },
  {
    name: "typing with noise in the request's upper half",
    words: ["type", "wide"],
    inside: "EPERM",
    outside: /^(ok|EIO)$/,
  },
  { name: "perf_event_open", words: ["perf"], inside: "EPERM", outside: /^(ok|EACCES|EPERM)$/ },
  { name: "a keyring", words: ["keys"], inside: "ENOSYS" },
  {
    name: "a child in another cgroup, which needs no more than its folder",
    words: ["clone-into", CGROUP_ROOT],
    inside: "ENOSYS",
    outside: /^(ok|EACCES)$/,
  },
  { name: "bpf", words: ["bpf"], inside: "EPERM", outside: /^(ok|EPERM)$/ },
  {
    name: "loading a module",
    words: ["module"],
    inside: "EPERM",
    outside: /^(ENOEXEC|EPERM|ENOSYS|EBADMSG|EINVAL|ENOKEY)$/,
  },
];

for (const { name, words, inside, outside = /^ok$/ } of [...families, ...calls]) {
  for (const [who, uid] of USERS) {
    test(`${name} is refused to ${who}`, async () => {
      const how = uid === undefined ? {} : { uid };
      const [control, guarded] = await Promise.all([plain(probe(...words), how), launch(probe(...words), how)]);
      assert.match(control.out, outside, `without the launcher: ${control.err}`);
      assert.equal(guarded.out, control.out === NO_32_BIT ? NO_32_BIT : inside, guarded.err);
    });
  }
}

/** To a process of the same user that runs outside. */
const reaches = [
  ["ptrace", /^EPERM$/],
  ["memory", /^EACCES$/],
  ["descriptor", /^EPERM$/],
  ["environment-of", /^EACCES$/],
  ["root-of", /^EACCES$/],
  ["signal", /^EPERM$/],
  ["limit-of", /^EPERM$/],
] as const;
for (const [name, inside] of reaches) {
  for (const [who, uid] of USERS) {
    test(`${name} of a process outside is refused to ${who}, though it has the same user`, async (t) => {
      const how = uid === undefined ? {} : { uid };
      const words = probe(name, outsider(t, uid));
      const control = await plain(words, how);
      // pidfd_getfd, ptrace and /proc/PID/mem of a brother: kernel.yama.ptrace_scope may refuse them to users anyway
      assert.match(control.out, uid === undefined ? /^ok$/ : /^(ok|EPERM|EACCES)$/, control.err);
      assert.match((await launch(words, how)).out, inside);
    });
  }
}

const opens: readonly (readonly [string, readonly string[]])[] = [
  ["an IPv4 socket", socket(2, 1)],
  ["an IPv6 UDP socket", socket(10, 2)],
  ["a Unix socket", socket(1, 1)],
  ["a routing netlink socket", socket(16, 3, 0)],
  ["getifaddrs and if_nameindex", ["getifaddrs"]],
  ["a pair of stream sockets", ["pair", "1"]],
  ["a pair of datagram sockets", ["pair", "2"]],
  ["an IPv4 socket by a plain 32-bit call", ["socket-32", "2", "2"]],
  ["a limit of one's own", ["own-limit"]],
  ["ptrace of an own child", ["trace-own-child"]],
];
for (const [name, words] of opens) {
  for (const [who, uid] of USERS) {
    test(`${name} is left to ${who}`, async () => {
      const how = uid === undefined ? {} : { uid };
      const [control, guarded] = await Promise.all([plain(probe(...words), how), launch(probe(...words), how)]);
      assert.match(control.out, words[0] === "socket-32" ? /^(ok|SIGSEGV)$/ : /^ok$/, control.err);
      assert.equal(guarded.out, control.out, guarded.err);
    });
  }
}

const withoutUnix = [
  ["a Unix socket", socket(1, 1), "EAFNOSUPPORT"],
  ["a pair of datagram sockets, which could be sent to any path", ["pair", "2"], "EAFNOSUPPORT"],
  ["a pair of raw ones, which are datagrams by another name", ["pair", "3"], "EAFNOSUPPORT"],
  ["a pair of stream sockets", ["pair", "1"], "ok"],
  ["a pair of packet sockets", ["pair", "5"], "ok"],
  ["getifaddrs", ["getifaddrs"], "ok"],
] as const;
for (const [name, words, expected] of withoutUnix) {
  test(`where the kernel cannot judge Unix sockets, ${name}: ${expected}`, async () => {
    assert.equal((await plain(probe(...words))).out, "ok");
    const { out, err } = await launch(probe(...words), { bounds: { unixSockets: "denied" } });
    assert.equal(out, expected, err);
  });
}

/** A kernel without Landlock: its first call is unknown. Becomes the launcher, whose pipe is descriptor 3. */
const WITHOUT_LANDLOCK = `#!/usr/bin/python3 -B
import ctypes, os, sys
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(seccomp.seccomp_init(0x7FFF0000))
assert seccomp.seccomp_rule_add(context, 0x00050000 | 38, 444, 0) == 0 and seccomp.seccomp_load(context) == 0
os.execv("${LAUNCH}", ["sallyport-launch", *sys.argv[1:]])
`;
for (const [name] of reaches.slice(0, 3)) {
  if (name === "memory") continue; // stays open then: a stated limit
  test(`where the kernel has no Landlock, ${name} of a process outside is refused all the same`, async (t) => {
    const launcher = join(openFolder(t), "without-landlock");
    writeFileSync(launcher, WITHOUT_LANDLOCK, { mode: 0o755 });
    const words = probe(name, outsider(t, STRANGER));
    assert.match((await plain(words, { uid: STRANGER })).out, /^(ok|EPERM)$/);
    const { out, err } = await launch(words, { uid: STRANGER, launcher });
    assert.equal(out, "EPERM", err);
  });
}
