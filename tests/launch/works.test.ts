/** What ordinary jobs do goes on behind the launcher, as root and as a plain user, also where Unix sockets are denied. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { launch, openFolder, plain, reachable, STRANGER } from "./launcher.ts";

const NODE = reachable(process.execPath, 0o755);
const IPC = `
const { fork } = require("node:child_process");
if (process.send) process.once("message", (word) => process.send(word + " back", () => process.disconnect()));
else fork(__filename).on("message", (word) => console.log(word)).send("there");
`;
const SERVER = `
const net = require("node:net");
const server = net.createServer((socket) => socket.end("served")).listen(0, "127.0.0.1", () =>
  net.connect(server.address().port, "127.0.0.1").on("data", (data) => { console.log(String(data)); server.close(); }));
`;
const POOL = `
import multiprocessing
def double(n): return 2 * n
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool: print(sum(pool.map(double, range(10))))
`;
const FILES = {
  "ipc.cjs": IPC,
  "server.cjs": SERVER,
  "pool.py": POOL,
  "package.json": JSON.stringify({ name: "p", version: "1.0.0", scripts: { hello: "echo from-a-script" } }),
  Makefile: "all: a b\n\t@echo made\na b:\n\t@echo $@ > $@\n",
};

const jobs = [
  ["Node's channel to a child", `${NODE} ipc.cjs`, /^there back$/],
  ["a server and a client on loopback, which only a cgroup judges", `${NODE} server.cjs`, /^served$/],
  ["Python's multiprocessing", "/usr/bin/python3 -B pool.py", /^90$/],
  [
    "git",
    "git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && git log --format=%s",
    /^one$/,
  ],
  ["npm's scripts", "npm run --silent hello", /^from-a-script$/],
  ["job control", "bash -c 'set -m; sleep 30 & kill %1; wait %1; echo $?'", /143$/],
  ["make with parallel jobs", "make -s -j4", /^made$/],
  ["a pipeline with process substitution", "bash -c 'diff <(echo a) <(echo a) && echo same'", /^same$/],
  [
    "names of users and of this host",
    "getent passwd root | cut -d: -f3; getent ahosts localhost > names && echo known",
    /^0\nknown$/,
  ],
  ["a timeout that kills", "timeout -s KILL 0.2 sleep 30; echo $?", /137$/],
] as const;

for (const [name, script, says] of jobs) {
  for (const [who, uid, unixSockets] of [
    ["root", undefined, "judged"],
    ["a plain user", STRANGER, "judged"],
    ["a plain user without Unix sockets", STRANGER, "denied"],
  ] as const) {
    test(`${name} works for ${who}`, async (t) => {
      const cwd = openFolder(t);
      chmodSync(cwd, 0o777);
      for (const [file, text] of Object.entries(FILES)) writeFileSync(join(cwd, file), text);
      if (uid !== undefined) chownSync(cwd, uid, uid);
      const how = { cwd, ...(uid === undefined ? {} : { uid }) };
      const environment = { PATH: process.env["PATH"] ?? "", HOME: cwd };
      const { out, err } = await launch(["sh", "-c", script], { ...how, environment, bounds: { unixSockets } });
      assert.match(out, says, err);
    });
  }
}

test("su makes root a user and comes back", async () => {
  const words = ["su", "-s", "/bin/sh", "nobody", "-c", "id -u"];
  const [control, inside] = await Promise.all([plain(words), launch(words)]);
  assert.equal(control.out, String(STRANGER), control.err);
  assert.equal(inside.out, String(STRANGER), inside.err);
});

test("dpkg unpacks and configures a package as root", async (t) => {
  const cwd = openFolder(t);
  const script = `mkdir -p p/DEBIAN p/usr/share/x root/var/lib/dpkg/info root/var/lib/dpkg/updates && touch root/var/lib/dpkg/status p/usr/share/x/f
printf 'Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: x\\n' > p/DEBIAN/control
dpkg-deb -b p x.deb && dpkg --root=root --force-depends -i x.deb && ls root/usr/share/x`;
  const { out, err } = await launch(["sh", "-ec", script], { cwd });
  assert.match(out, /\nf$/, err);
});
