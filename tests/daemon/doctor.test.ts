import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RuntimeFolders } from "../../src/containers/folders.ts";
import type { HookStatus } from "../../src/containers/installation.ts";
import type { DoctorCheck } from "../../src/control/ports.ts";
import { runtimeChecks } from "../../src/daemon/doctor/containers.ts";
import { cgroupChecks, type Host, kernelChecks, portCheck } from "../../src/daemon/doctor/kernel.ts";
import { nameChecks } from "../../src/daemon/doctor/names.ts";
import { privilegeChecks } from "../../src/daemon/doctor/privileges.ts";
import {
  clockCheck,
  coreDumpCheck,
  diskCheck,
  launcherCheck,
  serviceCheck,
  trustChecks,
} from "../../src/daemon/doctor/service.ts";
import { folder } from "../store/folder.ts";

const hostOf = (files: Readonly<Record<string, string>>): Host => ({
  read: (file) => files[file],
  exists: (file) => file in files,
});
const verdicts = (checks: readonly DoctorCheck[]) =>
  Object.fromEntries(checks.map(({ name, verdict }) => [name, verdict]));

const status = (effective: string) => hostOf({ "/proc/self/status": `Name:\tx\nCapEff:\t${effective}\n` });

test("root with every capability passes, each of them by name", () => {
  const checks = privilegeChecks(status("000001ffffffffff"), 0);
  assert.deepEqual(new Set(checks.map(({ verdict }) => verdict)), new Set(["ok"]));
});

test("what is looked for is what the service's unit keeps", () => {
  const unit = readFileSync(new URL("../../systemd/sallyport.service", import.meta.url), "utf8");
  const kept = [...unit.matchAll(/^CapabilityBoundingSet=(\S+)$/gm)].map(([, name]) => name);
  const [, ...needs] = privilegeChecks(status("0"), 0).map(({ name }) => name);
  assert.deepEqual(needs, kept);
});

test("a capability that is missing is named, with what it is for and a remedy", () => {
  const withoutBpf = privilegeChecks(status((0x1ffffffffffn & ~(1n << 39n)).toString(16)), 0);
  const [bpf, ...others] = withoutBpf.filter(({ verdict }) => verdict !== "ok");
  assert.deepEqual([bpf?.name, bpf?.verdict, others], ["CAP_BPF", "failed", []]);
  assert.match(`${bpf?.found} ${bpf?.remedy}`, /missing: to load programs.* capability/);
});

test("without /proc/self/status nothing counts as held, and an ordinary user is told to use sudo", () => {
  const checks = privilegeChecks(hostOf({}), 1000);
  assert.ok(checks.every(({ verdict }) => verdict !== "ok"));
  assert.match(checks[0]?.remedy ?? "", /sudo/);
});

const mounts = [
  ["none", undefined, 1n, ["failed"]],
  ["read-only", { path: "/c", options: ["ro", "nsdelegate"] }, 1n, ["failed", "ok"]],
  ["of a cgroup namespace", { path: "/c", options: ["rw", "nsdelegate"] }, 77n, ["failed", "ok"]],
  ["without nsdelegate", { path: "/c", options: ["rw"] }, 1n, ["ok", "warning"]],
  ["as it should be", { path: "/c", options: ["rw", "nsdelegate"] }, 1n, ["ok", "ok"]],
] as const;
for (const [name, mount, inode, expected] of mounts)
  test(`a cgroup mount: ${name}`, () => {
    const checks = cgroupChecks(mount, inode);
    assert.deepEqual(
      checks.map(({ verdict }) => verdict),
      expected,
    );
  });

const ports = [
  ["outside", { "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n" }, 61_917, "ok"],
  ["inside", { "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n" }, 40_000, "failed"],
  [
    "inside but reserved",
    {
      "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
      "/proc/sys/net/ipv4/ip_local_reserved_ports": "80,39990-40010\n",
    },
    40_000,
    "ok",
  ],
  [
    "inside and another one reserved",
    {
      "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
      "/proc/sys/net/ipv4/ip_local_reserved_ports": "\n",
    },
    40_000,
    "failed",
  ],
] as const;
for (const [name, files, port, verdict] of ports)
  test(`the listener's port ${name} the range of outgoing connections is ${verdict}`, () => {
    assert.equal(portCheck(hostOf(files), port).verdict, verdict);
  });

const switches = [
  ["files and dns", "hosts: files dns", "ok", /^files dns$/],
  ["nss-resolve before dns", "hosts: files resolve [!UNAVAIL=return] dns", "ok", /systemd-resolved answers.*no door/],
  ["nss-resolve alone", "hosts: files resolve", "warning", /systemd-resolved answers/],
  ["nss-resolve and its door", "hosts: files resolve dns", "warning", /past our resolver/, "/run/systemd/resolve/*"],
  ["nss-resolve and another's door", "hosts: files resolve dns", "ok", /no door is open/, "/run/systemd/journal/*"],
  ["multicast DNS", "hosts: files mdns4_minimal [NOTFOUND=return] dns", "ok", /avahi/],
  ["multicast DNS and its door", "hosts: files mdns4 dns", "warning", /past our/, "/run/avahi-daemon/socket"],
] as const;
for (const [name, text, verdict, found, ...doors] of switches)
  test(`a name switch with ${name} is ${verdict}`, () => {
    const files = { "/etc/nsswitch.conf": `${text}\n`, "/etc/resolv.conf": "nameserver 192.0.2.53\n" };
    const [, check] = nameChecks(hostOf(files), { servers: [], doors });
    assert.equal(check?.verdict, verdict);
    assert.match(check?.found ?? "", found);
  });

const UNTOLD = { servers: [], doors: [] };
test("the nameservers of the settings are those that are named, whatever the host's are", () => {
  const [told] = nameChecks(hostOf({}), { servers: [{ address: "192.0.2.1", port: 5353 }], doors: [] });
  assert.deepEqual([told?.verdict, told?.found], ["ok", "agents ask us, we ask 192.0.2.1 port 5353 (names.servers)"]);
});

test("a host without a nameserver is warned of, one with a stub is named", () => {
  const [none] = nameChecks(hostOf({}), UNTOLD);
  assert.equal(none?.verdict, "warning");
  const [stub] = nameChecks(hostOf({ "/etc/resolv.conf": "nameserver 127.0.0.53\n" }), UNTOLD);
  assert.match(stub?.found ?? "", /127\.0\.0\.53 \(systemd-resolved's stub\)/);
});

const FOLDERS: RuntimeFolders = { podman: "/p", docker: "/d", crio: "/c", containerd: "/run/containerd/k8s" };
const hook = (more: Partial<HookStatus>): HookStatus => ({
  ...{ runtime: "podman", present: true, installed: true, file: "/hooks/sallyport.json", problem: "" },
  ...more,
});
const hooks = [
  ["no runtime at all", [hook({ present: false })], {}, { containers: "ok" }],
  ["a hook that works", [hook({})], {}, { podman: "ok" }],
  ["no hook", [hook({ installed: false })], {}, { podman: "warning" }],
  ["a hook whose program is gone", [hook({ problem: "its program is missing" })], {}, { podman: "failed" }],
  ["containerd", [hook({ present: false })], { "/run/containerd/k8s": "" }, { containerd: "warning" }],
] as const;
for (const [name, found, files, expected] of hooks)
  test(`container runtimes: ${name}`, () => {
    assert.deepEqual(verdicts(runtimeChecks(hostOf(files), FOLDERS, found)), expected);
  });

test("a launcher that is missing, not executable or written by others fails", (t) => {
  const file = join(folder(t), "launch");
  const host: Host = { read: () => undefined, exists: (path) => path === file };
  assert.equal(launcherCheck(host, `${file}-not`).verdict, "failed");
  writeFileSync(file, "");
  for (const [mode, verdict] of [
    [0o644, "failed"],
    [0o777, process.getuid?.() === 0 ? "failed" : "ok"],
    [0o755, "ok"],
  ] as const) {
    chmodSync(file, mode);
    assert.equal(launcherCheck(host, file).verdict, verdict, mode.toString(8));
  }
});

test("a CA that is there and cannot be read fails; one that is not there yet is a warning", () => {
  const verdict = (files: Record<string, string>) => trustChecks(hostOf(files), "/run/s")[0]?.verdict;
  assert.equal(verdict({}), "warning");
  assert.equal(verdict({ "/run/s/trust/ca.pem": "garbage" }), "failed");
  assert.equal(verdict({ "/run/s/trust/ca.pem": "-----BEGIN CERTIFICATE-----" }), "ok");
});

test("without systemd the first process is named", async () => {
  const { verdict, found } = await serviceCheck(hostOf({ "/proc/1/comm": "runit\n" }));
  assert.deepEqual([verdict, /^runit/.test(found)], ["ok", true]);
});

test("a clock from before this program fails, one that nobody keeps is a warning", () => {
  const now = Date.UTC(2026, 0);
  assert.equal(clockCheck(hostOf({}), 0).verdict, "failed");
  assert.equal(clockCheck(hostOf({}), now).verdict, "warning");
  assert.equal(clockCheck(hostOf({ "/run/systemd/timesync/synchronized": "" }), now).verdict, "ok");
});

test("core dumps are off only when neither a file nor a program takes them", () => {
  const limits = (soft: string) =>
    `Limit                     Soft Limit\nMax core file size        ${soft}   unlimited bytes\n`;
  const verdict = (soft: string, pattern: string) =>
    coreDumpCheck(hostOf({ "/proc/self/limits": limits(soft), "/proc/sys/kernel/core_pattern": pattern })).verdict;
  assert.deepEqual(
    [verdict("0", "core\n"), verdict("unlimited", "core\n"), verdict("0", "|/usr/bin/apport\n")],
    ["ok", "warning", "warning"],
  );
});

test("disk space is looked at where the state will be, also before the folder is made", async (t) => {
  const { found, name } = await diskCheck(join(folder(t), "not", "yet"));
  assert.match(`${name}: ${found}`, /^disk: \d+ MiB free/);
});

test("checks of this kernel all have a name, a finding, and a remedy unless they are ok", () => {
  const checks = kernelChecks(hostOf({}), 61_917);
  assert.ok(checks.length >= 4);
  for (const { name, verdict, found, remedy } of checks) {
    assert.ok(name !== "" && found !== "", name);
    assert.equal(remedy === "", verdict === "ok", name);
  }
});
