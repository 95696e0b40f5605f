/** Root inside the launcher: what would undo the guard fails, what package managers and sudo do works. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { copyOf, LAUNCH, launch, openFolder, outsider, plain, probe, STRANGER } from "./launcher.ts";

const CGROUP2 = / (\S+) cgroup2 /.exec(readFileSync("/proc/mounts", "utf8"))?.[1] ?? "/sys/fs/cgroup";
const DISK = readdirSync("/sys/block").find((name) => Number(readFileSync(`/sys/block/${name}/size`, "utf8")) > 0);

/** Dropped for good; their numbers in capability.h. */
const DROPPED = {
  SYS_ADMIN: 21,
  SYS_MODULE: 16,
  BPF: 39,
  PERFMON: 38,
  NET_ADMIN: 12,
  NET_RAW: 13,
  SYS_PTRACE: 19,
  SYS_RAWIO: 17,
  MKNOD: 27,
  DAC_READ_SEARCH: 2,
  SYS_TIME: 25,
  CHECKPOINT_RESTORE: 40,
} as const;
const KEPT = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  NET_BIND_SERVICE: 10,
  SYS_CHROOT: 18,
} as const;

function sets(status: string): Record<string, bigint> {
  return Object.fromEntries(
    [...status.matchAll(/^Cap(\w+):\s+([0-9a-f]+)$/gm)].map(([, name, hex]) => [name, BigInt(`0x${hex}`)]),
  );
}

const has = (set: bigint | undefined, number: number) => ((set ?? 0n) & (1n << BigInt(number))) !== 0n;

test("root has none of the capabilities that undo the guard, in no set, and keeps those that jobs need", async () => {
  const { out } = await launch(["cat", "/proc/self/status"]);
  const own = sets(out);
  const before = sets((await plain(["cat", "/proc/self/status"])).out);
  assert.ok(has(before["Eff"], DROPPED.SYS_ADMIN), "the control has it");
  for (const [set, mask] of Object.entries(own)) {
    for (const [name, number] of Object.entries(DROPPED)) assert.ok(!has(mask, number), `${name} in Cap${set}`);
  }
  for (const [name, number] of Object.entries(KEPT)) assert.ok(has(own["Eff"], number), `${name} is gone`);
  assert.match(out, /^NoNewPrivs:\s+0$/m);
});

test("a program with file capabilities gets none of the dropped ones", async (t) => {
  const cat = copyOf(t, "/bin/cat", 0o755);
  const { code, err } = await plain(["setcap", "cap_net_admin,cap_chown+p", cat]);
  assert.equal(code, 0, err);
  const how = { uid: STRANGER };
  assert.ok(has(sets((await plain([cat, "/proc/self/status"], how)).out)["Prm"], DROPPED.NET_ADMIN));
  const inside = sets((await launch([cat, "/proc/self/status"], { user: "nobody" })).out);
  assert.ok(has(inside["Prm"], KEPT.CHOWN) && !has(inside["Prm"], DROPPED.NET_ADMIN));
});

interface Row {
  readonly name: string;
  readonly words: (t: TestContext) => readonly string[];
  readonly inside: RegExp;
}

const rows: readonly Row[] = [
  {
    name: "leaving the cgroup by cgroup.procs",
    words: () => ["write", join(CGROUP2, "cgroup.procs"), "0"],
    inside: /^EROFS$/,
  },
  { name: "writing core_pattern", words: () => ["write", "/proc/sys/kernel/core_pattern"], inside: /^EROFS$/ },
  {
    name: "writing ip_local_port_range",
    words: () => ["write", "/proc/sys/net/ipv4/ip_local_port_range"],
    inside: /^EROFS$/,
  },
  { name: "mounting", words: () => ["mount"], inside: /^EPERM$/ },
  { name: "remounting /sys writable", words: () => ["remount", "/sys"], inside: /^EPERM$/ },
  { name: "a mount namespace", words: () => ["unshare", "20000"], inside: /^EPERM$/ },
  { name: "a network namespace", words: () => ["unshare", "40000000"], inside: /^EPERM$/ },
  { name: "a cgroup namespace", words: () => ["unshare", "2000000"], inside: /^EPERM$/ },
  {
    name: "entering the network namespace of another",
    words: (t) => ["enter", `/proc/${outsider(t)}/ns/net`],
    inside: /^EACCES$/,
  },
  { name: "making a disk's node", words: (t) => ["mknod", join(openFolder(t), "disk")], inside: /^EPERM$/ },
  { name: "reading a disk", words: () => ["disk", `/dev/${DISK}`], inside: /^ENODATA$/ },
  { name: "opening files by handle", words: () => ["handle"], inside: /^EPERM$/ },
  { name: "removing a pin's folder", words: (t) => ["rmdir", pinFolder(t)], inside: /^EROFS$/ },
];

function pinFolder(t: TestContext): string {
  const folder = `/sys/fs/bpf/sallyport-launch-${process.pid}-${Math.random().toString(36).slice(2)}`;
  mkdirSync(folder);
  t.after(() => {
    try {
      rmdirSync(folder);
    } catch {} // the control run has removed it
  });
  return folder;
}

for (const { name, words, inside } of rows) {
  test(`${name} works for root outside, and fails inside`, async (t) => {
    const guarded = await launch(probe(...words(t)));
    assert.match(guarded.out, inside, guarded.err);
    // a namespace is entered or left by the probe alone; what it wrote was there before
    const control = await plain(probe(...words(t)));
    assert.match(control.out, name.startsWith("reading a disk") ? /^(ok|EPERM)$/ : /^ok$/, control.err);
  });
}

test("a covered folder is not reached by the working directory that leads below the cover", async (t) => {
  const folder = pinFolder(t).split("/").at(-1) ?? "";
  const how = { cwd: "/sys/fs/bpf" };
  assert.equal((await plain(probe("relative", folder), how)).out, "ok");
  assert.equal((await launch(probe("relative", folder), how)).out, "ENOENT");
});

test("what covers bpffs cannot be taken off, nor in a user namespace of root's own", async () => {
  assert.match((await launch(probe("uncover", "/sys/fs/bpf"))).out, /^EPERM$/);
  const script = "umount /sys/fs/bpf || mount -o remount,rw /sys/fs/cgroup || mount -t bpf bpf /sys/fs/bpf";
  const { code, err } = await launch(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]);
  assert.notEqual(code, 0);
  assert.match(err, /umount[\s\S]*mount[\s\S]*mount/);
});

test("no fresh /proc without covers is to be had in a user namespace, where root is the host's still", async () => {
  const words = "unshare --user --map-root-user --mount --pid --fork mount -t proc proc /proc".split(" ");
  assert.equal((await plain(words)).code, 0, "the control mounts it");
  const { code, err } = await launch(words);
  assert.notEqual(code, 0, err);
});

test("secrets and state are hidden from root, and the daemon's own files cannot be changed", async (t) => {
  const folder = openFolder(t);
  mkdirSync(join(folder, "state"));
  for (const name of ["state/key", "secret", "settings"]) writeFileSync(join(folder, name), "sesame");
  const bounds = {
    hidden: [join(folder, "state"), join(folder, "secret"), join(folder, "none")],
    fixed: [join(folder, "settings")],
  };
  for (const [name, words, inside] of [
    ["a file of the state", ["read", join(folder, "state/key")], "ENOENT"],
    ["a secret", ["read", join(folder, "secret")], "ENODATA"],
    ["the settings", ["write", join(folder, "settings")], "EROFS"],
  ] as const) {
    assert.equal((await plain(probe(...words))).out, "ok", name);
    const { out, err } = await launch(probe(...words), { bounds });
    assert.equal(out, inside, `${name}: ${err}`);
  }
});

test("what package managers do works: owners, setuid files, other users' processes", async (t) => {
  const { out, err } = await launch(probe("package-manager", openFolder(t)));
  assert.equal(out, "ok", err);
});

test("a setuid program makes a user inside root again, within the same bounds", async (t) => {
  const cat = copyOf(t, "/bin/cat", 0o4755);
  const { out, err } = await launch([cat, "/proc/self/status"], { user: "nobody" });
  assert.match(out, new RegExp(`^Uid:\\s+${STRANGER}\\s+0\\s`, "m"), err);
  assert.ok(has(sets(out)["Eff"], KEPT.SETUID) && !has(sets(out)["Eff"], DROPPED.SYS_ADMIN));
});

test("--no-new-privs keeps a setuid program from doing so", async (t) => {
  const cat = copyOf(t, "/bin/cat", 0o4755);
  const { out } = await launch([cat, "/proc/self/status"], { user: "nobody", newPrivileges: "forbidden" });
  assert.match(out, new RegExp(`^Uid:\\s+${STRANGER}\\s+${STRANGER}\\s`, "m"));
  assert.match(out, /^NoNewPrivs:\s+1$/m);
});

test("root who cannot be bound is refused, and the command never runs", async (t) => {
  const mark = join(openFolder(t), "ran");
  const { code, err } = await launch(["touch", mark], { launcher: weakened(t) });
  assert.equal(code, 125);
  assert.match(err, /RUN_NOT_GUARDED: .*as root/);
});

test("a second /proc and a second cgroup file system are covered like the first", async (t) => {
  const folder = openFolder(t);
  const mounts = ["proc", "cgroup2"].map(
    (type) => `mkdir -p ${folder}/${type}; mount -t ${type} none ${folder}/${type}`,
  );
  const launcher = before(t, `unshare --mount sh -ec '${mounts.join("; ")}; exec "$@"' sh`);
  for (const file of ["proc/sys/kernel/core_pattern", "cgroup2/cgroup.procs"]) {
    const { out, err } = await launch(probe("write", join(folder, file), "0"), { launcher });
    assert.equal(out, "EROFS", err);
  }
});

test("what cron and at run later, outside, cannot be left for them", async (t) => {
  const make =
    "mount -t tmpfs none /var/spool; mkdir /var/spool/cron /var/spool/at; touch /var/spool/cron/root /var/spool/at/job";
  const spools = `unshare --mount sh -ec '${make}; exec "$@"' sh`;
  for (const file of ["/var/spool/cron/root", "/var/spool/at/job"]) {
    const { out, err } = await launch(probe("write", file, "x"), { launcher: before(t, spools) });
    assert.equal(out, "EROFS", err);
    const control = await plain(["sh", "-c", `${spools} "$@"`, "sh", ...probe("write", file, "x")]);
    assert.equal(control.out, "ok", control.err);
  }
});

test("mounts that are hidden below others do not keep the command from running", async (t) => {
  const [first, second] = [openFolder(t), openFolder(t)];
  const hide = (folder: string, then: string) =>
    `mount -t tmpfs none ${folder}; mkdir ${folder}/m; mount -t sysfs none ${folder}/m; mount -t tmpfs none ${folder}; ${then}`;
  const launcher = before(
    t,
    `unshare --mount sh -ec '${hide(first, ":")}; ${hide(second, `mkdir ${second}/m`)}; exec "$@"' sh`,
  );
  const { out, err } = await launch(["echo", "ran"], { launcher });
  assert.equal(out, "ran", err);
});

/** A script that becomes the launcher behind `prefix`. */
function before(t: TestContext, prefix: string): string {
  const script = join(openFolder(t), "prefixed");
  writeFileSync(script, `#!/bin/sh\nexec ${prefix} ${LAUNCH} "$@"\n`, { mode: 0o755 });
  return script;
}

/** A script that drops CAP_SYS_ADMIN before it becomes the launcher. */
function weakened(t: TestContext): string {
  const script = join(openFolder(t), "weakened");
  writeFileSync(script, `#!/bin/sh\nexec capsh --drop=cap_sys_admin -- -c 'exec ${LAUNCH} "$@"' sallyport "$@"\n`, {
    mode: 0o755,
  });
  return script;
}
