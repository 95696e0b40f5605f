/**
 * What one decision costs with 50 and with 1,000 rules: judged anew, and answered from what is kept; with every rule on the
 * action that is asked for (the worst case), and with rules spread over all actions, as policies have them. By itself: `node tests/bench/decisions.ts`; as a part of `npm run bench`: `--only decisions`.
 */
import { compilePolicy } from "../../src/daemon/configuration.ts";
import type { Connection } from "../../src/model/connection.ts";
import type { Asked } from "../../src/model/operation.ts";
import type { Judge } from "../../src/policy/decide.ts";
import { prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { postgres } from "../../src/protocols/postgres/index.ts";
import { subjectOf } from "../kit/policy.ts";
import { judged, type Verdict } from "./aims.ts";

export interface Decisions {
  readonly measure: "decision";
  readonly rules: number;
  /** "one": every rule covers what is asked. */
  readonly on: "one action" | "all actions";
  readonly how: "judged anew" | "kept";
  readonly p50Us: number;
  readonly p99Us: number;
}

const CONNECTION: Connection = {
  ...{ name: "orders", protocol: "postgres", addresses: [], labels: { environment: "prod" }, tls: { mode: "disable" } },
  data: { "public.customers": { labels: ["crm"], columns: { ssn: ["pii"], name: [] } } },
};
const TEXT = "SELECT i.id, c.name FROM invoices i JOIN customers c ON c.id = i.customer WHERE i.id = 17";
/** Calls that are timed together: a clock costs some 50 ns itself. Percentiles of kept answers are of such batches. */
const BATCHES = { "judged anew": 1, kept: 50 } as const;
const SAMPLES = 40_000;
const AIMS_US = [
  { rules: 50, on: "one action", how: "judged anew", atMost: 5 },
  { rules: 1_000, on: "one action", how: "judged anew", atMost: 50 },
  { rules: 50, on: "all actions", how: "judged anew", atMost: 5 },
  { rules: 1_000, on: "all actions", how: "judged anew", atMost: 50 },
  { rules: 50, on: "one action", how: "kept", atMost: 0.5 },
  { rules: 1_000, on: "one action", how: "kept", atMost: 0.5 },
] as const;

/** Conditions as people write them: who, where, which tables, whether there is a WHERE. None but the first matches. */
const CONDITIONS: readonly ((n: number) => string)[] = [
  (n) => `connection.name == "other-${n}" && "ci" in agent.groups`,
  (n) => `statement.tables.exists(t, "label-${n}" in t.labels || "label-${n}" in t.columnLabels)`,
  (n) => `"group-${n}" in agent.groups && !statement.where.present`,
  (n) => `statement.kind == "select" && statement.tables.exists(t, t.name == "secret_${n}")`,
  (n) => `origin.executable.startsWith("/opt/tool-${n}/") || origin.user == "user-${n}"`,
  (n) => `"environment" in connection.labels && connection.labels["environment"] == "env-${n}"`,
  (n) => `statement.functions.exists(f, f == "fn_${n}") && statement.where.tautology`,
  (n) => `agent.name in ["a-${n}", "b-${n}", "c-${n}"] && size(statement.tables) > 2`,
];

const FIRST = "  - { name: read, on: sql.read, allow: {} }";
const ACTIONS = postgres.actions.map(({ name }) => name);

/** `first` allows, and is counted. */
export function policyOfSize(rules: number, on: Decisions["on"], first = FIRST): string {
  const lines = ["rules:", first];
  for (let n = 1; n < rules; n++) {
    const when = JSON.stringify((CONDITIONS[n % CONDITIONS.length] as (n: number) => string)(n));
    const outcome = n % 3 === 0 ? "allow: {}" : "deny: {}";
    const action = on === "one action" ? "sql.read" : ACTIONS[n % ACTIONS.length];
    lines.push(`  - { name: r-${n}, on: ${action}, when: ${when}, ${outcome} }`);
  }
  return lines.join("\n");
}

export async function measureDecisions(sizes = SIZES, samples = SAMPLES): Promise<readonly Decisions[]> {
  await prepareAnalysis();
  const [asked] = postgres.askedBy?.(TEXT, CONNECTION) ?? [];
  if (asked === undefined) throw new Error("Cannot measure: the statement asks for nothing");
  const found: Decisions[] = [];
  for (const [rules, on] of sizes) {
    const policy = compilePolicy([{ name: "bench", text: policyOfSize(rules, on) }], [CONNECTION]);
    const judge = policy.judge(subjectOf({ connection: CONNECTION }));
    // an operation that is not frozen is never kept
    const anew: readonly Asked[] = [{ ...asked, operation: { ...asked.operation } }];
    for (const [how, what] of [
      ["judged anew", anew],
      ["kept", [asked]],
    ] as const) {
      if (judge.decide(1, what, NOTHING).kind !== "allow")
        throw new Error("Cannot measure: the statement is not allowed");
      const few = Math.max(2_000, Math.floor((samples * 50) / rules));
      const count = how === "kept" ? samples : Math.min(samples, few);
      const times = sample(judge, what, BATCHES[how], count);
      found.push({ measure: "decision", rules, on, how, p50Us: at(times, 0.5), p99Us: at(times, 0.99) });
    }
  }
  return found;
}

const SIZES: readonly (readonly [number, Decisions["on"]])[] = [
  [50, "one action"],
  [1_000, "one action"],
  [50, "all actions"],
  [1_000, "all actions"],
];
const NOTHING = new Uint8Array();

/** Sorted, after a warm-up of as many. */
function sample(judge: Judge, asked: readonly Asked[], batch: number, count: number): Float64Array {
  const times = new Float64Array(count);
  for (let round = 0; round < 2; round++) {
    for (let at = 0; at < count; at++) {
      const start = process.hrtime.bigint();
      for (let call = 0; call < batch; call++) judge.decide(1, asked, NOTHING);
      times[at] = Number(process.hrtime.bigint() - start) / 1_000 / batch;
    }
  }
  return times.sort();
}

function at(sorted: Float64Array, share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

export function tableOfDecisions(decisions: readonly Decisions[]): string {
  const lines = decisions.map(({ rules, on, how, p50Us, p99Us }) => {
    return `| ${rules.toLocaleString("en")} on ${on} | ${how} | ${p50Us.toFixed(2)} µs | ${p99Us.toFixed(2)} µs |`;
  });
  return ["| rules | decision | p50 | p99 |", "|---|---|--:|--:|", ...lines].join("\n");
}

export function judgeDecisions(decisions: readonly Decisions[]): readonly Verdict[] {
  return AIMS_US.map(({ rules, on, how, atMost }) => {
    const row = decisions.find((one) => one.rules === rules && one.on === on && one.how === how);
    const what = `decision, ${rules.toLocaleString("en")} rules on ${on}, ${how}: p50`;
    return judged(what, row?.p50Us, { atMost }, (us) => `${us.toFixed(2)} µs`);
  });
}

if (import.meta.main) {
  const decisions = await measureDecisions();
  console.log(tableOfDecisions(decisions));
  for (const { outcome, text } of judgeDecisions(decisions)) console.log(`${outcome.padEnd(12)} ${text}`);
}
