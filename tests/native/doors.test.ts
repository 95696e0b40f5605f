/** Unix sockets: none but those that a door opens, by the path as it was given. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { probe } from "ebpf-loader";
import { CGROUP_ROOT, KERNEL_HAS_DOORS, kernelTest, type Outcome, python, Stand, undo, uniqueName } from "./kit.ts";

const mountNamespace = statSync("/proc/self/ns/mnt", { bigint: true }).ino;

/** Where the kernel cannot judge them, each door is answered with false instead; `run` closes the family there. */
function doorTest(name: string, body: (t: TestContext) => Promise<void>): void {
  if (KERNEL_HAS_DOORS) kernelTest(name, body);
}

kernelTest("setDoors() says whether the kernel can judge Unix sockets, as the probe does", (t) => {
  const stand = new Stand(t);
  assert.equal(stand.interceptor.setDoors(["/run/x"], [mountNamespace]), KERNEL_HAS_DOORS);
  const row = probe(CGROUP_ROOT).find(({ feature }) => feature === "cgroup/connect_unix");
  assert.deepEqual([row?.ok, row?.found === "available"], [true, KERNEL_HAS_DOORS]);
});

/** Answers "hello" on stream sockets; paths or, with a leading NUL, abstract names. */
function serve(t: TestContext, ...names: string[]): void {
  for (const name of names) {
    const server = createServer((socket) => socket.on("error", () => {}).end("hello")).listen(name);
    undo(t, () => void server.close());
  }
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
  undo(t, () => rmSync(folder, { recursive: true }));
  return folder;
}

const UNIX = `
def reaches(name):
    def body():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5); s.connect(name)
            return read(s)
    return step(body)
def tells(name):
    return step(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", name))
`;

const verdicts = (outcome: readonly Outcome[]) => outcome.map((one) => ("value" in one ? one.value : one.errno));

doorTest("without a door every Unix socket is refused; the same dials succeed untagged", async (t) => {
  const stand = new Stand(t);
  const folder = folderOf(t);
  const abstract = uniqueName();
  serve(t, join(folder, "s"), `\0${abstract}`);
  const dials = `${UNIX}
datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
datagrams.bind("${folder}/" + str(os.getpid()))
reaches("${folder}/s"); reaches("\\0${abstract}"); tells(datagrams.getsockname())
os.chdir("${folder}"); reaches("s")
def pair():
    a, b = socket.socketpair(); a.sendall(b"x"); return b.recv(1).decode()
step(pair)`;
  assert.deepEqual(verdicts(await python(dials)), ["hello", "hello", 1, "hello", "x"]);
  assert.deepEqual(verdicts(await stand.agentRuns(dials)), ["EPERM", "EPERM", "EPERM", "EPERM", "x"]);
  const paths = stand.events.filter(({ kind }) => kind === "unix").map(({ path, reason }) => `${reason} ${path}`);
  assert.deepEqual(
    paths.map((path) => path.replace(/\d+$/u, "")),
    [`no-door ${folder}/s`, `no-door @${abstract}`.replace(/\d+$/u, ""), `no-door ${folder}/`, "no-door s"],
  );
});

doorTest("a door opens exactly its path, or what begins so", async (t) => {
  const stand = new Stand(t);
  const folder = folderOf(t);
  const abstract = uniqueName();
  mkdirSync(join(folder, "in"));
  serve(t, `${folder}/s`, `${folder}/ss`, `${folder}/in/a`, `\0${abstract}`, `\0${abstract}-more`, `\0${abstract}x-1`);
  assert.equal(
    stand.interceptor.setDoors([`${folder}/s`, `${folder}/in/*`, `@${abstract}`, `@${abstract}x-*`], [mountNamespace]),
    true,
  );
  const outcome = await stand.agentRuns(`${UNIX}
for name in ("${folder}/s", "${folder}/ss", "${folder}/./s", "${folder}/in/a", "${folder}/in/../s", "${folder}/in/../in/a",
             "\\0${abstract}", "\\0${abstract}-more", "\\0${abstract}\\0", "\\0${abstract}x-1"):
    reaches(name)`);
  assert.deepEqual(verdicts(outcome), [
    "hello",
    "EPERM",
    "EPERM",
    "hello",
    "EPERM",
    "EPERM",
    "hello",
    "EPERM",
    "EPERM",
    "hello",
  ]);
  const event = await stand.event({ kind: "unix", reason: "door" });
  assert.deepEqual([event.path, event.agent, event.cgroupId], [`${folder}/s`, stand.agent, stand.tagId]);
  stand.interceptor.setDoors([], []);
  assert.deepEqual(verdicts(await stand.agentRuns(`${UNIX}\nreaches("${folder}/s")`)), ["EPERM"]);
});

doorTest("a path door is shut in a mount namespace of the agent's own making", async (t) => {
  const stand = new Stand(t);
  const folder = folderOf(t);
  const abstract = uniqueName();
  serve(t, `${folder}/s`, `\0${abstract}`);
  stand.interceptor.setDoors([`${folder}/s`, `@${abstract}`], [mountNamespace]);
  const dials = `${UNIX}
libc = __import__("ctypes").CDLL(None)
if libc.unshare(0x20000) != 0: raise SystemExit("unshare failed")
reaches("${folder}/s"); reaches("\\0${abstract}")`;
  assert.deepEqual(verdicts(await python(dials)), ["hello", "hello"]);
  assert.deepEqual(verdicts(await stand.agentRuns(dials)), ["EPERM", "hello"]);
});

doorTest("quarantine shuts every door", async (t) => {
  const stand = new Stand(t);
  const folder = folderOf(t);
  serve(t, `${folder}/s`);
  stand.interceptor.setDoors([`${folder}/s`], [mountNamespace]);
  stand.interceptor.quarantine(stand.agent, true);
  assert.deepEqual(verdicts(await stand.agentRuns(`${UNIX}\nreaches("${folder}/s")`)), ["EPERM"]);
  await stand.event({ kind: "unix", reason: "quarantined" });
});

doorTest("a path as long as can be is judged whole", async (t) => {
  const stand = new Stand(t);
  const folder = folderOf(t);
  const longest = `${folder}/${"x".repeat(107 - folder.length - 1)}`;
  serve(t, longest);
  const dial = `${UNIX}\nreaches("${longest}")`;
  assert.deepEqual(verdicts(await stand.agentRuns(dial)), ["EPERM"]);
  stand.interceptor.setDoors([longest], [mountNamespace]);
  assert.deepEqual(verdicts(await stand.agentRuns(dial)), ["hello"]);
});

kernelTest("doors that make no sense are refused", (t) => {
  const stand = new Stand(t);
  const { interceptor } = stand;
  for (const door of ["relative", "", "@", "/a/../b", "/a*b", "/nul\0", `/${"x".repeat(108)}`])
    assert.throws(() => interceptor.setDoors([door], []), TypeError, door);
  assert.throws(() => interceptor.setDoors(Array(257).fill("/x"), []), { code: "MAP_FULL" });
});
