/** Recordings as asks that a policy can judge again. Reads; changes nothing. */
import type { Connection } from "../model/connection.ts";
import type { Facts, Operation } from "../model/operation.ts";
import type { RecordedAsk } from "../policy/recorded.ts";
import type { ActionEntry, DecisionEntry, StartEntry } from "../recorder/format.ts";
import type { ReadEntry } from "../recorder/read.ts";

/** One session's asks in their order, numbered as `sessions show` numbers its lines. */
export async function* recordedAsks(
  entries: AsyncIterable<ReadEntry>,
  connections: readonly Connection[],
): AsyncGenerator<RecordedAsk> {
  let start: StartEntry | undefined;
  let asked: ActionEntry[] = [];
  let held: RecordedAsk | undefined;
  for await (const entry of entries) {
    if (entry.kind === "action") {
      asked.push(entry);
      continue;
    }
    if (entry.kind === "start") start = entry;
    // what came of a hold is a second decision on the same ask
    if (entry.kind === "decision" && held !== undefined) {
      yield { ...held, wasLetGo: entry.decision === "allow" };
      held = undefined;
    }
    if (entry.kind === "decision" && start !== undefined && asked.length > 0) {
      const ask = askOf(start, asked, entry, entry.sequence, entry.atMs, connections);
      if (ask.decision === "hold" && !ask.wasObserved) held = ask;
      else yield ask;
    }
    asked = [];
  }
  if (held !== undefined) yield held; // the daemon ended while it waited
}

function askOf(
  start: StartEntry,
  asked: readonly ActionEntry[],
  { decision, rules, observed, repeats }: DecisionEntry,
  number: number,
  atMs: number,
  connections: readonly Connection[],
): RecordedAsk {
  const { sessionId: session, agent: name, groups, claims, origin, connection, protocol } = start;
  return {
    ...{ session, number, atMs },
    agent: { slot: 0, name, groups, claims },
    origin: { ...origin, tagCgroupId: 0n },
    connection: connections.find((one) => one.name === connection) ?? { name: connection, protocol, labels: {} },
    asked: asked.map(({ prepared, ...entry }) => {
      return { operation: operationOf(entry), text: entry.text, ...(prepared ? { prepared } : {}) };
    }),
    isPartial: repeats !== undefined || asked.some(({ actions }) => actions.some(({ facts }) => facts === "")),
    decision: observed === undefined ? decision : "deny",
    rules: observed === undefined ? rules : observed.rules,
    wasObserved: observed !== undefined,
  };
}

function operationOf({ actions, forbidden }: Pick<ActionEntry, "actions" | "forbidden">): Operation {
  const all = actions.map(({ name, facts }) => ({ name, facts: (facts === "" ? {} : JSON.parse(facts)) as Facts }));
  return forbidden === undefined
    ? { actions: all }
    : { actions: all, forbidden: { rule: forbidden.rule as `built-in:${string}`, message: forbidden.message } };
}
