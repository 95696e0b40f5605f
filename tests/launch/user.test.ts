/** A plain user's command: bound without any privilege, or with a launcher that has file capabilities. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { wordOf } from "../../src/control/cli/launcher.ts";
import { copyOf, LAUNCH, launch, openFolder, plain, probe, STRANGER } from "./launcher.ts";

const uid = STRANGER;
const CGROUP2 = / (\S+) cgroup2 /.exec(readFileSync("/proc/mounts", "utf8"))?.[1] ?? "/sys/fs/cgroup";
const PATH = process.env["PATH"] ?? "";

/** As `sallyport service install` leaves it. */
async function withCapabilities(t: TestContext): Promise<string> {
  const launcher = copyOf(t, LAUNCH, 0o755);
  const { code, err } = await plain(["setcap", "cap_setpcap,cap_sys_admin+ep", launcher]);
  assert.equal(code, 0, err);
  return launcher;
}

const field = (status: string, name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";

test("without privileges the command can gain none: setuid programs have no effect, and a filter is set", async (t) => {
  const cat = copyOf(t, "/bin/cat", 0o4755);
  assert.match(field((await plain([cat, "/proc/self/status"], { uid })).out, "Uid"), /^65534\s+0\s/);
  const { out, err } = await launch([cat, "/proc/self/status"], { uid });
  assert.match(field(out, "Uid"), /^65534\s+65534\s+65534\s+65534$/, err);
  assert.deepEqual([field(out, "NoNewPrivs"), field(out, "Seccomp"), field(out, "CapPrm")], ["1", "2", "0".repeat(16)]);
});

test("with file capabilities the command has none of them, and setuid programs work", async (t) => {
  const launcher = await withCapabilities(t);
  const { out, err } = await launch(["cat", "/proc/self/status"], { uid, launcher });
  const none = "0".repeat(16);
  assert.deepEqual(
    [field(out, "CapPrm"), field(out, "CapEff"), field(out, "CapInh"), field(out, "CapAmb")],
    [none, none, none, none],
    err,
  );
  assert.deepEqual(
    [field(out, "NoNewPrivs"), field(out, "Seccomp"), field(out, "Uid")],
    ["0", "2", "65534\t65534\t65534\t65534"],
  );
});

test("with file capabilities, who becomes root inside by a setuid program is bound as root is", async (t) => {
  const launcher = await withCapabilities(t);
  const python = copyOf(t, "/usr/bin/python3", 0o4755);
  const [, ...rest] = probe();
  const as = (...words: string[]) => launch([python, ...rest, ...words], { uid, launcher });
  assert.equal((await as("write", join(CGROUP2, "cgroup.procs"), "0")).out, "EROFS");
  assert.equal((await as("mount")).out, "EPERM");
  assert.equal((await as("write", "/proc/sys/kernel/core_pattern")).out, "EROFS");
  assert.equal(
    (await plain([python, ...rest, "write", "/proc/sys/kernel/core_pattern"], { uid })).out,
    "ok",
    "the control",
  );
});

test("the loader's variables and all others reach the command, also through file capabilities", async (t) => {
  const launcher = await withCapabilities(t);
  const environment = { PATH, LD_LIBRARY_PATH: "/nowhere", TMPDIR: "/var/tmp", "A B": "1\n2", EMPTY: "" };
  const { out } = await launch(["env", "-0"], { uid, launcher, environment });
  assert.deepEqual(
    out.split("\0").filter(Boolean).sort(),
    Object.entries(environment)
      .map(([name, value]) => `${name}=${value}`)
      .sort(),
  );
});

test("with file capabilities the caller cannot have anything hidden: sudo would go by what is left", async (t) => {
  const launcher = await withCapabilities(t);
  const folder = openFolder(t);
  const file = join(folder, "sudoers");
  writeFileSync(file, "sesame", { mode: 0o644 });
  const bounds = { hidden: [file], fixed: [] };
  assert.equal((await launch(probe("read", file), { bounds })).out, "ENODATA", "root may");
  assert.equal((await launch(probe("read", file), { uid, launcher, bounds })).out, "ok");
});

test("with file capabilities and without a word, nothing runs", async (t) => {
  const launcher = await withCapabilities(t);
  const mark = join(openFolder(t), "ran");
  const { code, out } = await launch(["touch", mark], { uid, launcher, word: Buffer.alloc(0) });
  assert.deepEqual([code, out], [125, ""]);
});

test("a debugger that starts it gets no capabilities out of it", async (t) => {
  const launcher = await withCapabilities(t);
  const word = wordOf({ unixSockets: "judged", hidden: [], fixed: [] }, { PATH });
  const script = `printf '%b' '${word.toString().replaceAll("\0", "\\0000")}' | strace -qq -o /dev/null ${launcher} -- cat /proc/self/status 3<&0`;
  const { out, err } = await plain(["sh", "-c", script], { uid });
  assert.equal(field(out, "NoNewPrivs"), "1", err);
});

test("only root may name another user, with or without file capabilities", async (t) => {
  for (const launcher of [LAUNCH, await withCapabilities(t)]) {
    const { code, err } = await launch(["true"], { uid, launcher, user: "root" });
    assert.equal(code, 125);
    assert.match(err, /PRIVILEGE/);
  }
});

test("root becomes the user that it names: uid, gid, groups and what a login sets", async () => {
  const { out, err } = await launch(["sh", "-c", "id; echo $HOME $USER $LOGNAME $SHELL"], { user: "nobody" });
  const control = await plain(["sh", "-c", "id nobody; getent passwd nobody"]);
  const [identity = "", entry = ""] = control.out.split("\n");
  const [, , , , , home, shell] = entry.split(":");
  assert.deepEqual(out.split("\n"), [identity, `${home} nobody nobody ${shell}`], err);
  const unknown = await launch(["true"], { user: "no-such-user" });
  assert.deepEqual([unknown.code, /RUN_USER_UNKNOWN/.test(unknown.err)], [125, true]);
});
