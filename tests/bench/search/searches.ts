/** The index over much that was recorded: how long it takes to build, how large it is, how fast it answers. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { openSearch, type Search } from "../../../src/search/search.ts";
import { quietLog } from "../../store/folder.ts";
import type { Measure } from "../search.ts";
import { fill, RECORDED_MS } from "./fill.ts";

const ROUNDS = 15;
const MIB = 1024 * 1024;

const TYPED = [
  "agent:rare detector:payment-card",
  "agent:rare table:public.table_7",
  "decision:deny agent:rare",
  "kind:kernel.deny exe:/usr/bin/tool-3",
  "table:table_12 decision:deny",
  "agent:agent-3 decision:deny",
  "session:s3 column:card",
  "rule:no-ddl -agent:rare",
  "pid:1007 kind:action.deny",
  "user:builder action:sql.update",
];
const WORDS = [
  "invoice",
  "supplier_id ref3x77",
  '"customer number"',
  "ledg*",
  "shipment agent:rare",
  "refund -table:table_1",
  "voucher table:table_8",
];
const VALUES = ["detector:payment-card", "detector:payment-card value:masked column:card"];

export async function searchMeasures(state: string, entries: number): Promise<readonly Measure[]> {
  await fill(state, entries);
  const beganMs = performance.now();
  const search = openSearch({ stateDir: state, recordings: join(state, "recordings"), log: quietLog() });
  try {
    // Each search spends a while on reading what is new, without rest.
    for (let waits = true; waits; ) {
      const { lag } = await search.search({ query: "session:none", limit: 1 });
      waits = lag.sessions + lag.segments + lag.events > 0 || lag.indexedUpToMs < RECORDED_MS + 60_000;
    }
    const builtS = (performance.now() - beganMs) / 1_000;
    const bytes = ["", "-wal"].reduce(
      (sum, side) => sum + (statSync(join(state, `search.db${side}`), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
    const typed = await timed(search, TYPED);
    const words = await timed(search, WORDS);
    const values = await timed(search, VALUES);
    return [
      {
        what: `building the index of ${entries.toLocaleString("en")} entries, without rests`,
        value: `${builtS.toFixed(0)} s`,
      },
      { what: "its size", value: `${(bytes / MIB).toFixed(0)} MiB` },
      aim("typed search, p50", typed.p50, 50),
      { what: "typed search, worst", value: `${typed.worst.toFixed(0)} ms (\`${typed.slowest}\`)` },
      aim("full-text search, p50", words.p50, 200),
      { what: "full-text search, worst", value: `${words.worst.toFixed(0)} ms (\`${words.slowest}\`)` },
      { what: "all values of one detector, counted over all sessions, p50", value: `${values.p50.toFixed(0)} ms` },
    ];
  } finally {
    await search.close();
  }
}

function aim(what: string, ms: number, most: number): Measure {
  return { what, value: `${ms.toFixed(1)} ms`, aim: { text: `under ${most} ms`, isMet: ms < most } };
}

/** As the daemon asks it, its thread and the way there included. */
async function timed(search: Search, queries: readonly string[]) {
  const all: { query: string; ms: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const query of queries) {
      const from = performance.now();
      const answer = await search.search({ query, limit: 50 });
      all.push({ query, ms: performance.now() - from });
      if (answer.entries.length + answer.sessions.length === 0) throw new Error(`Nothing was found: ${query}`);
    }
  }
  const sorted = all.toSorted((left, right) => left.ms - right.ms);
  const worst = sorted.at(-1);
  return { p50: sorted[Math.floor(sorted.length / 2)]?.ms ?? 0, worst: worst?.ms ?? 0, slowest: worst?.query ?? "" };
}
