/**
 * A held action in words and numbers, made once when it is opened. Its digest and its shape are keyed, so that nobody
 * can try out what a detector took away. Decides nothing.
 */
import { createHash, createHmac, randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import {
  HOLD_PARAMETER_COST,
  HOLD_PARAMETER_MAX,
  HOLD_STATEMENT_COST,
  HOLD_TABLES_MAX,
  HOLD_TEXT_MAX,
  RECORDED_MARGIN,
} from "../base/limits.ts";
import { unixAccount } from "../model/human.ts";
import type { Agent } from "../model/identity.ts";
import type { Asked, Fact } from "../model/operation.ts";
import type { QuotedIn } from "../model/protocol.ts";
import type { HoldRequest } from "./hold.ts";
import { processesFrom } from "./processes.ts";
import type { HeldOrigin, HeldStatement, HeldTable, HoldRecord } from "./record.ts";

export interface Describing {
  readonly clock: Clock;
  /** Replaces what detectors find in a text; `quotedIn` of one that is code, of which nothing is taken away. */
  readonly scrub: (text: string, quotedIn?: QuotedIn) => string;
  /** Of digests and shapes. */
  readonly key: Uint8Array;
  /** All accounts of who made this cgroup an agent, without root; none: they are not known any more. */
  readonly taggedBy: (tagCgroupId: bigint) => readonly string[];
  /** Who logged in on the host, before any sudo; undefined: nobody did, or it is not known. */
  readonly loginUidOf: (pid: number) => number | undefined;
  /** Whether a process lives in that agent's cgroup. */
  readonly isInside: (pid: number, tagCgroupId: bigint) => boolean;
}

/** Waiting, as of now. Not whole: its texts are too long to be shown. */
export function describe(
  request: HoldRequest,
  describing: Describing,
  isTaken: (id: string) => boolean,
): { readonly record: HoldRecord; readonly isWhole: boolean } {
  const { agent, connection, decision, sessionId } = request;
  const { demands, expiresMs, reuseMs } = decision.terms;
  const { clock, scrub, key } = describing;
  const statements = statementsOf(request, scrub);
  const openedMs = clock.nowMs();
  const record: HoldRecord = {
    ...{ id: newId(isTaken), sessionId, agent: agent.name, connection: connection.name, protocol: connection.protocol },
    ...(request.entrance === undefined ? {} : { entrance: scrub(request.entrance.text) }),
    ...{ statements: statements ?? [], tables: tablesOf(request.asked) },
    origin: originOf(request, describing),
    ...{ rules: decision.rules, message: decision.message, policy: decision.policy, demands, reuseMs },
    ...{ digest: digestOf(request, key), shape: shapeDigestOf(request, key), likeness: likenessOf(request, key) },
    ...{ openedMs, expiresMs: openedMs + expiresMs, state: "waiting", votes: [] },
  };
  return { record, isWhole: statements !== undefined };
}

/** Short enough to read out; who may answer does not depend on knowing it. */
function newId(isTaken: (id: string) => boolean): string {
  const alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
  for (;;) {
    const id = Array.from(randomBytes(10), (byte) => alphabet[byte & 31]).join("");
    if (!isTaken(id)) return id;
  }
}

/** The texts as a reviewer sees them; undefined: they are too long to be shown whole. */
function statementsOf(
  { asked, quotedIn }: HoldRequest,
  scrub: Describing["scrub"],
): readonly HeldStatement[] | undefined {
  let room = HOLD_TEXT_MAX;
  const statements: HeldStatement[] = [];
  for (const { operation, text, parameters = [] } of asked) {
    room -= HOLD_STATEMENT_COST + text.length;
    for (const value of parameters) room -= HOLD_PARAMETER_COST + Math.min(value?.length ?? 0, HOLD_PARAMETER_MAX);
    if (room < 0) return undefined;
    const shown = parameters.map((value) => (value === null ? null : shortened(value, scrub)));
    const actions = [...new Set(operation.actions.map(({ name }) => name))];
    statements.push({ text: scrub(text, quotedIn), parameters: shown, actions });
  }
  return statements;
}

/** Cut before the detectors run, with a margin that is dropped again: it holds whatever the cut split. */
function shortened(value: string, scrub: (text: string) => string): string {
  if (value.length <= HOLD_PARAMETER_MAX) return scrub(value);
  const head = scrub(value.slice(0, HOLD_PARAMETER_MAX + RECORDED_MARGIN));
  const kept = Math.max(0, Math.min(HOLD_PARAMETER_MAX, head.length - RECORDED_MARGIN));
  return `${head.slice(0, kept)}… (${value.length} characters)`;
}

/** Of facts that have `statement.tables`; each table once for each access. */
function tablesOf(asked: readonly Asked[]): readonly HeldTable[] {
  const tables = new Map<string, HeldTable>();
  for (const { operation } of asked) {
    for (const { facts } of operation.actions) {
      const found = member(facts["statement"], "tables");
      for (const table of Array.isArray(found) ? (found as readonly Fact[]) : []) {
        const [schema, name, access] = ["schema", "name", "access"].map((key) => textOf(member(table, key)));
        const full = schema === "" ? `${name}` : `${schema}.${name}`;
        const labels = listOf(member(table, "labels"));
        const columnLabels = listOf(member(table, "columnLabels"));
        tables.set(`${access} ${full}`, { name: full, access: access ?? "", labels, columnLabels });
      }
    }
  }
  const more = tables.size - HOLD_TABLES_MAX;
  if (more <= 0) return [...tables.values()];
  const rest: HeldTable = { name: `… and ${more} more`, access: "read or write", labels: [], columnLabels: [] };
  return [...[...tables.values()].slice(0, HOLD_TABLES_MAX), rest];
}

/** SHA-256, keyed, over exactly what would be executed and for whom. */
export function digestOf(
  { asked, bytes, agent, connection, decision, entrance }: HoldRequest,
  key: Uint8Array,
): string {
  const what = asked.map(({ operation, text, parameters }) => [operation.actions, text, parameters ?? []]);
  const sent = createHash("sha256").update(bytes).digest("hex");
  return keyed(key, ["hold", what, sent, ...whoIs(agent), connection.name, decision.policy, enteredBy(entrance)]);
}

/** The same of what stays equal where only literals and parameters differ; "" where a text has no shape. */
export function shapeDigestOf(
  { asked, agent, connection, decision, shapeOf, entrance }: HoldRequest,
  key: Uint8Array,
): string {
  const shapes: unknown[] = [];
  for (const { operation, text } of asked) {
    const shape = text === "" ? "" : shapeOf(text, operation.actions);
    if (shape === undefined) return "";
    shapes.push([operation.actions, shape]);
  }
  const rules = decision.rules.toSorted();
  return keyed(key, ["shape", shapes, ...whoIs(agent), connection.name, decision.policy, rules, enteredBy(entrance)]);
}

/** What one job was approved stands for no other that runs as the same agent. */
function whoIs({ name, identity, groups, claims }: Agent): readonly unknown[] {
  if (identity === undefined) return [name];
  return [name, identity.issuer, identity.subject, groups, Object.entries(claims).toSorted()];
}

/** One connection leads to every database that its login may open: the same text in another one is another action. */
function enteredBy(entrance: Asked | undefined): unknown {
  return entrance === undefined ? [] : [entrance.operation.actions, entrance.text];
}

/** Whose processes these are and who made them an agent may never answer; root is known by uid 0 and stands apart. */
function originOf({ origin }: HoldRequest, { taggedBy, loginUidOf, isInside }: Describing): HeldOrigin {
  const { pid, uid, user, executable, tagCgroupId } = origin;
  const users = [uid, loginUidOf(pid) ?? 0].filter((one) => one !== 0).map(unixAccount);
  const processes = processesFrom(pid, (one) => isInside(one, tagCgroupId));
  return { pid, uid, user, executable, processes, startedBy: [...new Set([...users, ...taggedBy(tagCgroupId)])] };
}

/** For people: the same text on the same connection, whoever sent it and whatever the policy was; "" as above. */
function likenessOf({ asked, connection, shapeOf }: HoldRequest, key: Uint8Array): string {
  const shapes = asked.map(({ text }) => (text === "" ? "" : shapeOf(text)));
  return shapes.includes(undefined) ? "" : keyed(key, ["likeness", shapes, connection.name]);
}

function keyed(key: Uint8Array, value: unknown): string {
  return createHmac("sha256", key).update(JSON.stringify(value)).digest("hex");
}

function member(fact: Fact | undefined, key: string): Fact | undefined {
  if (typeof fact !== "object" || Array.isArray(fact)) return undefined;
  return Object.hasOwn(fact, key) ? (fact as Readonly<Record<string, Fact>>)[key] : undefined;
}

function textOf(fact: Fact | undefined): string {
  return typeof fact === "string" ? fact : "";
}

function listOf(fact: Fact | undefined): readonly string[] {
  return Array.isArray(fact) ? fact.map(String) : [];
}
