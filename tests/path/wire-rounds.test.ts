/** When the words of wires leave that were said amid a round of reads. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { Wire } from "../../src/path/wire.ts";
import { acceptedWire, reader, until } from "./kit.ts";

/** Bytes that are there for a socket, and nobody has read. Source: proc_pid_net(5), /proc/PID/net/tcp. */
function backlogOf({ localPort = 0 }: Socket): number {
  const port = localPort.toString(16).toUpperCase().padStart(4, "0");
  const line = readFileSync("/proc/self/net/tcp", "utf8")
    .split("\n")
    .find((one) => one.trim().split(/\s+/)[1]?.endsWith(`:${port}`));
  return Number.parseInt(line?.trim().split(/[\s:]+/)[7] ?? "", 16);
}

for (const [what, leave] of [
  ["ends", (wire: Wire) => wire.end()],
  ["is destroyed", (wire: Wire) => wire.destroy()],
  ["is lent", (wire: Wire) => assert.ok(wire.lend() !== undefined)],
] as const) {
  test(`what a wire was told to say amid a round leaves before it ${what}`, async (t) => {
    const { client, wire } = await acceptedWire(t);
    const answer = reader(client);
    let sent = -1;
    wire.start({
      bytes: () => {
        wire.write(Buffer.from("farewell"));
        leave(wire);
        sent = backlogOf(client);
      },
      ended: () => {},
      drained: () => {},
    });
    client.write("hello");
    await until(() => sent >= 0, "the client's word");
    assert.ok(sent >= "farewell".length, `${sent} bytes had arrived`); // an end counts as one
    await until(() => answer.text() === "farewell", "the farewell");
  });
}

test("who is long at work keeps nobody's answer of the same round waiting beyond a turn", async (t) => {
  const sides = await Promise.all(Array.from({ length: 4 }, () => acceptedWire(t)));
  /** Of each wire but the first to be heard: whether all before had their answer by the time that it was. */
  const hadAnswers: boolean[] = [];
  const answered: Socket[] = [];
  for (const { client, wire } of sides) {
    client.pause();
    wire.start({
      bytes: () => {
        hadAnswers.push(answered.every((socket) => socket.bytesRead + backlogOf(socket) > 0));
        execFileSync("sleep", ["0.02"]); // a hostile statement
        wire.write(Buffer.from("answer"));
        answered.push(client);
      },
      ended: () => {},
      drained: () => {},
    });
  }
  for (const { client } of sides) client.write("hello");
  await until(() => answered.length === sides.length, "all of them");
  assert.deepEqual(hadAnswers, [true, true, true, true]);
});
