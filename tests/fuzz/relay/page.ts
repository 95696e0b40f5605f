/** The report of a run as a page. */
import { release } from "node:os";
import { PLANTED } from "./planted.ts";
import type { RelayCounts } from "./run.ts";

const number = (count: number) => Math.round(count).toLocaleString("en-US");
const mib = (kib: number) => `${(kib / 1024).toFixed(0)} MiB`;

export function pageOf(
  counts: RelayCounts,
  { seed, seconds, isWhole }: { seed: number; seconds: number; isWhole: boolean },
): string {
  const rows = [
    ["mutated messages that an open flow looked at", number(counts.mutated)],
    ["of them from the client, from the server", `${number(counts.fromClient)}, ${number(counts.fromServer)}`],
    ["messages as they should be, around them", number(counts.regular)],
    ["relays, flows, turns", [counts.episodes, counts.flows, counts.turns].map(number).join(", ")],
    ["groups carried, each compared with the file before it left", number(counts.groups)],
    ["answers carried in full", number(counts.answers)],
    ["bytes carried", number(counts.bytes)],
    ["texts and values that were asked about", number(counts.vouched)],
    ["groups whose permit wants each of them to be asked about", number(counts.decided)],
    ["seconds, mutated messages a second", `${seconds.toFixed(0)}, ${number(counts.mutated / seconds)}`],
    [
      "most resident memory, after the first tenth and at the end",
      `${mib(counts.firstKib)}, ${mib(counts.lastKib)} (freed memory is kept aside by the sanitizer)`,
    ],
    ["faults", isWhole ? "0" : "1"],
  ];
  return `# Fuzzing of the native relay

\`npm run fuzz-relay\` gives mutated messages in both directions to the relay of \`native/src\` (ARCHITECTURE.md, "The short way"),
built with AddressSanitizer and UndefinedBehaviorSanitizer: one to three flows at once, on Unix sockets with large and tiny buffers
and files in memory. Groups of twelve forms are changed in their open places and everywhere else, and both streams are cut anywhere.
Every call of the relay into the kernel passes the harness, which lets it fail, be interrupted, or do less than was asked for:
disks that take half a block, files that cannot be cut back. Peers do not read, end, or reset; the owner takes flows
back at any moment, also amid the call for another one, and vouches and decides by chance.

The judge shares no code with the relay: \`expect.h\` parses groups and answers as the protocol has them, \`file.h\` reads the recording
as \`recording.proto\` has it. At each send, before the bytes are in the socket, these hold; so do the others after each step:

1. What goes to the server is whole groups that a form covers, the owner vouched for, and, where it wants to be asked about each, allowed, as the client sent them.
2. The file is a chain of whole blocks with an action and an allowing decision for each of these groups, in their order, with their
   text, values, ids and sequences; nothing is behind a torn block. Answers in it are those that came.
3. What goes to the client is as much of the server's bytes as is the answer of the form.
4. Passed, waiting and unread bytes together are what was read: none is lost, doubled, changed or out of order.
5. What is in flight, its state, answers, totals and the file's end, when a flow is taken back, are what the judge has counted.
6. At most 64 KiB wait in each of the four buffers, and 64 groups are in flight. A turn ends, and without news there is no next one.
7. What is covered is carried, and what is not comes back at once with its reason. Nothing moves in a flow that was given back.

${PLANTED.length} relays with a planted fault, from "forwards before it records" to a use after free, are each found within a run of 200,000
messages and found again by the reported \`--episode\` (\`tests/fuzz/relay/relay-fuzz.test.ts\`, part of \`npm test\` as is such a run of
the relay itself).

${new Date().toISOString().slice(0, 10)}, Linux ${release().split("-")[0]}, seed ${seed}:

${table(["", ""], rows)}

What was done to messages:

${table(["", "messages"], byCount(counts.byChange))}

Why flows were given back; the others were taken by their owner:

${table(["", "flows"], byCount(counts.byWhy))}
`;
}

function byCount(counts: Readonly<Record<string, number>>): readonly (readonly string[])[] {
  return Object.entries(counts)
    .sort(([, left], [, right]) => right - left)
    .map(([name, count]) => [name, number(count)]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
