/**
 * Which recordings are to go, and why: a pure plan over what is known of them. The first rule whose labels a session's
 * connection has counts; without one it stays. What is open or under legal hold stays in any case. Deletes nothing.
 */

export interface RetentionRule {
  /** Labels that the connection must have, all of them; empty: every connection. */
  readonly connections: Readonly<Record<string, string>>;
  /** From a session's end. Absent: for ever. */
  readonly keepMs?: number;
  /** Of all recordings under this rule together. Absent: without end. */
  readonly keepBytes?: number;
}

export interface StoredSession {
  readonly id: string;
  /** Of its connection, as the settings have them now; undefined: it is not in them any more. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Undefined: it is open. */
  readonly endedMs: number | undefined;
  /** Of all its files. */
  readonly bytes: number;
  readonly held: "held" | "free";
}

export interface Deletion {
  readonly id: string;
  /** Place of the rule in the list, from 0. */
  readonly rule: number;
  readonly why: "age" | "size";
}

/**
 * A connection that was removed or renamed could have had any labels: what was kept for years must not fall under the
 * rule for all others. Its recordings count for the rule that keeps longest, and go by age alone.
 */
function ruleOfRemoved(rules: readonly RetentionRule[]): number {
  const ages = rules.map(({ keepMs = Number.POSITIVE_INFINITY }) => keepMs);
  return ages.indexOf(Math.max(...ages));
}

/** Oldest end first. By size the oldest go until the rest fits; what may not go counts as well. */
export function planRetention(
  sessions: readonly StoredSession[],
  rules: readonly RetentionRule[],
  nowMs: number,
): readonly Deletion[] {
  const byRule = new Map<number, StoredSession[]>();
  const removed: StoredSession[] = [];
  for (const session of sessions) {
    const { labels } = session;
    if (labels === undefined) {
      removed.push(session);
      continue;
    }
    const rule = rules.findIndex(({ connections }) => has(labels, connections));
    if (rule < 0) continue;
    const own = byRule.get(rule);
    if (own === undefined) byRule.set(rule, [session]);
    else own.push(session);
  }
  const longest = ruleOfRemoved(rules);
  const { keepMs } = rules[longest] ?? {};
  return [
    ...[...byRule].flatMap(([rule, own]) => planRule(own, rules[rule] as RetentionRule, rule, nowMs)),
    ...planRule(removed, { connections: {}, ...(keepMs === undefined ? {} : { keepMs }) }, longest, nowMs),
  ];
}

function planRule(
  sessions: readonly StoredSession[],
  { keepMs = Number.POSITIVE_INFINITY, keepBytes = Number.POSITIVE_INFINITY }: RetentionRule,
  rule: number,
  nowMs: number,
): readonly Deletion[] {
  let bytes = sessions.reduce((sum, session) => sum + session.bytes, 0);
  const deletions: Deletion[] = [];
  for (const { id, endedMs, bytes: own } of sessions.filter(mayGo).toSorted(byEnd)) {
    const why = nowMs - endedMs > keepMs ? "age" : bytes > keepBytes ? "size" : undefined;
    if (why === undefined) break; // what follows is younger, and the rest fits
    deletions.push({ id, rule, why });
    bytes -= own;
  }
  return deletions;
}

type Ended = StoredSession & { readonly endedMs: number };

function mayGo(session: StoredSession): session is Ended {
  return session.endedMs !== undefined && session.held === "free";
}

/** Of equal ends by id, so that the same sessions give the same plan. */
function byEnd(one: Ended, other: Ended): number {
  return one.endedMs - other.endedMs || (one.id < other.id ? -1 : 1);
}

function has(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
