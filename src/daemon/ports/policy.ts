/** What the API may ask of the policy: check, explain, replay, suggest. The running policy stays. */
import { UserError } from "../../base/errors.ts";
import { API_LIST_MAX } from "../../base/limits.ts";
import type { PolicyPorts, PolicyStatus, RecordedQuery } from "../../control/policy-ports.ts";
import type { Connection } from "../../model/connection.ts";
import type { Explanation } from "../../policy/explanation.ts";
import { PolicyError } from "../../policy/problem.ts";
import { type RecordedAsk, subjectOfRecorded } from "../../policy/recorded.ts";
import { replay } from "../../policy/replay.ts";
import { suggest } from "../../policy/suggest.ts";
import { protocols } from "../../protocols/index.ts";
import { readRecording } from "../../recorder/read.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { compilePolicy } from "../configuration.ts";
import { explainTyped } from "../policy-tools.ts";
import { recordedAsks } from "../recorded.ts";
import type { PortParts } from "./parts.ts";

export function policyPorts(parts: PortParts): PolicyPorts {
  return {
    check: async (files) => checkPolicy(named(files), parts.configuration().connections),
    status: async () => policyStatus(parts),
    explain: async (request) => explainTyped(request, parts.configuration(), parts.clock.nowMs(), parts.grants.given()),
    explainRecorded: ({ session, number }) => explainRecorded(parts, session, number),
    replay: async (files, query) => {
      const draft = compilePolicy(named(files), parts.configuration().connections);
      return replay(draft, asksOf(parts, await sessionsOf(parts, query), query.sinceMs));
    },
    suggest: async (query) => {
      const catalogue = protocols.flatMap(({ actions }) => actions);
      return suggest(asksOf(parts, await sessionsOf(parts, query), query.sinceMs), catalogue);
    },
  };
}

function named(files: readonly { readonly path: string; readonly text: string }[]) {
  return files.map(({ path, text }) => ({ name: path, text }));
}

/** Compiles without putting into force. */
export function checkPolicy(files: readonly { name: string; text: string }[], connections: readonly Connection[]) {
  try {
    const { rules, warnings } = compilePolicy(files, connections);
    return { rules: rules.length, problems: [], warnings };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return { rules: 0, problems: error.problems, warnings: [] };
  }
}

export function policyStatus({ configuration, loadedMs, ledger }: PortParts): PolicyStatus {
  const { policy } = configuration();
  const files = [...new Set(policy.rules.map(({ file }) => file))];
  const shadow = policy.rules.flatMap(({ name, shadow: isShadow }) =>
    isShadow ? [{ rule: name, would: ledger.shadowOf(name) }] : [],
  );
  return { hash: policy.version, rules: policy.rules.length, files, loadedMs: loadedMs(), shadow };
}

async function explainRecorded(parts: PortParts, session: string, number: number): Promise<Explanation> {
  const { policy, connections } = parts.configuration();
  for await (const ask of recordedAsks(
    readRecording(parts.recordings, session, { keys: parts.sessionKeys }),
    connections,
  )) {
    if (ask.number !== number) continue;
    if (!ask.isPartial) return policy.explain(subjectOfRecorded(ask), ask.asked);
    const message = `Cannot explain entry ${number} of ${session}: its facts were too long to be kept`;
    throw new UserError("ENTRY_PARTIAL", message, "Type the statement in instead");
  }
  const message = `Cannot find a decision as entry ${number} of ${session}`;
  throw new UserError("ENTRY_UNKNOWN", message, `See its entries: sallyport sessions show ${session}`);
}

/** The newest that fit the query, oldest first. */
async function sessionsOf({ index }: PortParts, query: RecordedQuery): Promise<readonly SessionRow[]> {
  const { agent, sinceMs = 0, sessions = API_LIST_MAX } = query;
  await index.flush();
  const rows = await index.list({ limit: sessions, ...(agent === undefined ? {} : { agent }) });
  // a session that began earlier and goes on has asks since then too
  return rows
    .filter(({ startedMs, endedMs }) => (endedMs ?? startedMs) >= sinceMs || endedMs === undefined)
    .toReversed();
}

async function* asksOf(parts: PortParts, rows: readonly SessionRow[], sinceMs = 0): AsyncGenerator<RecordedAsk> {
  for (const { id } of rows) {
    for await (const ask of recordedAsks(
      readRecording(parts.recordings, id, { keys: parts.sessionKeys }),
      parts.configuration().connections,
    )) {
      if (ask.atMs >= sinceMs) yield ask;
    }
  }
}
