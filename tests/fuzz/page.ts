/** The report of a run as a page: what was done to whom, how sessions ended, and what the process kept. */
import { release } from "node:os";
import type { Report } from "./campaign.ts";
import { readCorpus } from "./corpus.ts";
import type { Endured } from "./endurance.ts";
import { PLANTED } from "./planted.ts";

export interface PageFacts extends Report {
  readonly seed: number;
  readonly messages: number;
  readonly regressions: number;
  readonly endured: readonly Endured[];
  readonly faults: readonly string[];
}

const number = (count: number) => Math.round(count).toLocaleString("en-US");
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export function pageOf(facts: PageFacts): string {
  const { counts, seconds, memory, seed, faults } = facts;
  const [first, last] = [memory[0], memory.at(-1)];
  const rows: readonly (readonly [string, string])[] = [
    ["mutated messages: changed, or out of their turn, given to a machine that was open", number(counts.mutated)],
    ["of them from the client, from the server", `${number(counts.bySide.client)}, ${number(counts.bySide.server)}`],
    ["messages as recorded, around them", number(counts.unchanged)],
    [
      "sessions, logins, lookups",
      [counts.sessions, ...["login", "lookup"].map((name) => counts.byMachine.get(name) ?? 0)].map(number).join(", "),
    ],
    ["asks forwarded, each compared with its permit and with what was asked", number(counts.forwards)],
    ["asks denied, by policy or by chance", number(counts.denials)],
    ["longest event", `${counts.maxHandleMs.toFixed(0)} ms`],
    ["seconds, mutated messages a second", `${seconds.toFixed(0)}, ${number(counts.mutated / seconds)}`],
    [
      "heap after a collection, after the first tenth and at the end",
      `${mib(first?.heapBytes ?? 0)}, ${mib(last?.heapBytes ?? 0)}`,
    ],
    [
      "resident memory, after the first tenth and at the end",
      `${mib(first?.rssBytes ?? 0)}, ${mib(last?.rssBytes ?? 0)}`,
    ],
    ["kept reproductions of fixed faults, run first", number(facts.regressions)],
    ["faults", number(faults.length)],
  ];
  return `# Fuzzing of the PostgreSQL machines

\`npm run fuzz\` gives mutated messages in both directions to the session machine, with the real analysis, the real policy
judge and real masks, and to the login and lookup machines. The seeds are ${readCorpus().length} conversations recorded from
a real server (\`tests/fuzz/corpus\`, \`-- --record\` makes them anew). One half of the sessions has an honest server: a model
that answers what the recorded one answered, keeps names, transactions and copies as PostgreSQL does, and checks that
nothing runs which was not asked for in the very ask that made it run. The other half has a server whose messages are
changed as the client's are. Verdicts are denied and late by chance, facts are late, missing or new, the policy changes.

Found would be: an exception, an event that takes over 2 s, a forward that no verdict allowed or with other bytes than were
asked for, a statement that runs unasked, a hidden value in any byte for the client, the password in any byte for an
unverified server, a login without the server's proof, a stream to the client that is not whole messages, bytes held
beyond what was read, a heap that grows. ${PLANTED.length} sessions with a planted fault show that each is
(\`tests/fuzz/fuzz.test.ts\`). A shorter run with the same seed is part of \`npm test\`. docs/fuzz-relay.md is of the
native relay.

${new Date().toISOString().slice(0, 10)}, Linux ${release().split("-")[0]}, Node ${process.versions.node}, seed ${seed}, ${faults.length === 0 ? "no faults" : faults.join("; ")}:

${table(["", ""], rows)}

What was done to messages:

${table(["", "messages"], byCount(counts.byMutation))}

How sessions ended; codes are those of faults of a peer:

${table(["", "sessions"], byCount(counts.byEnd))}

Single sessions that go on and on, measured alive:

${table(
  ["", "messages", "fed", "kept at most", "limit"],
  facts.endured.map((own) => [own.name, number(own.messages), mib(own.fedBytes), mib(own.keptBytes), mib(own.keptMax)]),
)}
`;
}

function byCount(counts: ReadonlyMap<string, number>): readonly (readonly string[])[] {
  return [...counts].sort(([, left], [, right]) => right - left).map(([name, count]) => [name, number(count)]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
