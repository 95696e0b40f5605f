/** A quarantine reaches into containers: a flow that rules allow directly is cut there, and what starts later is, too. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Daemon } from "../kit/daemon.ts";
import { Podman } from "../kit/podman.ts";
import { Flow, flowCommand, type Streamer, startStreamer } from "./flows.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

let podman: Podman;
let daemon: Daemon;
let streamer: Streamer;
before(async () => {
  podman = await Podman.start();
  streamer = await startStreamer(podman.address);
  process.env["CONTAINERS_STORAGE_CONF"] = podman.storageSettings; // where the daemon finds this podman's state
  daemon = await Daemon.start({
    settings: `agents: [{ name: bad }]\nconnections: []\negress: { allow: ["${podman.address}:${streamer.port}"] }\n`,
    policies: {},
  });
});
after(async () => {
  await daemon?.stop();
  delete process.env["CONTAINERS_STORAGE_CONF"];
  streamer?.close();
  await podman?.stop();
});

/** A container that is tagged while its first program waits, and then makes its flow. */
async function guarded(t: TestContext, name: string): Promise<{ readonly flow: Flow; readonly namespaces: number }> {
  const wait = ["/bin/sh", "-c", 'echo waits >&2; read go; exec "$@"', "sh"];
  const argv = [...wait, ...flowCommand("tcp", podman.address, streamer.port)];
  const child = podman.spawn({ name, more: ["--volume", `${ROOT}:${ROOT}:ro`] }, argv);
  const flow = new Flow(child);
  t.after(async () => {
    await flow.stop().catch(() => {});
    await podman.remove(name);
  });
  if (child.stderr === null) throw new Error("Cannot hear the container");
  await once(child.stderr, "data");
  const { namespaces } = await daemon.json<{ namespaces: number[] }>(["tag", "--as", "bad", "--container", name]);
  child.stdin?.write("go\n");
  return { flow, namespaces: namespaces.length };
}

test("a flow out of a container ends with the quarantine, and a container that is tagged later makes none", async (t) => {
  const first = await guarded(t, `bad-first-${process.pid}`);
  assert.equal(first.namespaces, 1);
  await first.flow.opened();
  const done = await daemon.json<{ state: string; destroyed: number; unable: number }>(["quarantine", "bad"]);
  assert.deepEqual([done.state, done.destroyed, done.unable], ["quarantined", 1, 0]);
  assert.equal((await first.flow.ended()).why, "ECONNABORTED");
  const second = await guarded(t, `bad-second-${process.pid}`);
  await assert.rejects(second.flow.opened());
  assert.equal((await daemon.cli(["release", "bad"])).code, 0);
  const third = await guarded(t, `bad-third-${process.pid}`);
  await third.flow.opened();
  assert.equal((await third.flow.stop()).why, "asked", "control: released, it goes");
});
