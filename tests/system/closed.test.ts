/** A reload that takes a destination away ends the direct flows that are open to it, and no others. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { Daemon } from "../kit/daemon.ts";
import { Flow, makeCgroup, type Streamer, startStreamer } from "./flows.ts";

const [REMOVED, COVERED, KEPT] = ["127.0.7.1", "127.0.7.2", "127.0.8.1"];
const ADDRESSES = [REMOVED, COVERED, KEPT] as [string, string, string];

let daemon: Daemon;
let streamers: Streamer[];
const tagged = makeCgroup("closed-agent");
const bystander = makeCgroup("closed-bystander");

const settings = (allow: readonly string[]) => `
agents: [{ name: ci }]
connections: []
egress: { allow: [${allow.map((one) => `"${one}"`).join(", ")}] }
`;
const ports = () => streamers.map(({ port }) => port) as [number, number, number];

/** The network of the first two, and the third by itself. */
const wide = () => settings(["127.0.7.0/24:*", `${KEPT}:${ports()[2]}`]);
/** The network is gone, but one address of it is allowed by itself. */
const narrow = () => settings([`${COVERED}:${ports()[1]}`, `${KEPT}:${ports()[2]}`]);

before(async () => {
  streamers = await Promise.all(ADDRESSES.map(startStreamer));
  daemon = await Daemon.start({ settings: wide(), policies: {} });
  const { code, stderr } = await daemon.cli(["tag", "--as", "ci", "--cgroup", tagged.path]);
  assert.equal(code, 0, stderr);
});
after(async () => {
  await daemon?.stop();
  for (const streamer of streamers ?? []) streamer.close();
  for (const cgroup of [tagged, bystander]) await cgroup.remove();
});

async function reload(text: string): Promise<void> {
  daemon.configure({ settings: text, policies: {} });
  const { code, stderr } = await daemon.cli(["reload"]);
  assert.equal(code, 0, stderr);
}

/** One flow of the agent to each address, and one of a bystander to the first. */
async function openAll(): Promise<readonly [Flow, Flow, Flow, Flow]> {
  const flow = (cgroup: string, at: number) => Flow.in(cgroup, "tcp", ADDRESSES[at] ?? "", ports()[at] ?? 0);
  const flows = [flow(tagged.path, 0), flow(tagged.path, 1), flow(tagged.path, 2), flow(bystander.path, 0)] as const;
  await Promise.all(flows.map((one) => one.opened()));
  return flows;
}

test("control: a reload that closes nothing ends no flow", async () => {
  const flows = await openAll();
  await reload(wide());
  const ends = await Promise.all(flows.map((flow) => flow.stop()));
  assert.deepEqual(
    ends.map(({ why }) => why),
    ["asked", "asked", "asked", "asked"],
  );
});

test("flows to a destination that is gone are reset; to what another rule allows, and a bystander's, go on", async () => {
  const [removed, ...others] = await openAll();
  await reload(narrow());
  const { why } = await removed.ended();
  assert.ok(why === "ECONNABORTED" || why === "ECONNRESET", why);
  const ends = await Promise.all(others.map((flow) => flow.stop()));
  assert.deepEqual(
    ends.map((end) => end.why),
    ["asked", "asked", "asked"],
  );
  const told = () => daemon.events().find(({ kind }) => kind === "egress.removed");
  for (const end = Date.now() + 10_000; told() === undefined && Date.now() < end; ) await wait(20);
  assert.equal(told()?.["message"], "1 destinations are closed, and 1 flows to them ended");
});
