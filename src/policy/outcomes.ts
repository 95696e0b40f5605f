/** What a rule does when it matches, as a file says it: YAML to an outcome with every problem told. */
import { isMap, isScalar, isSeq } from "yaml";
import {
  APPROVERS_MAX,
  HOLD_MS,
  HOLD_MS_MAX,
  LIMIT_COUNT_MAX,
  LIMIT_WINDOW_MS_MAX,
  QUORUM_MAX,
  REUSE_MS_MAX,
} from "../base/limits.ts";
import type { Demand, HoldTerms } from "../model/hold.ts";
import type { LimitTerms } from "../model/limit.ts";
import type { MaskStyle } from "../model/mask.ts";
import { didYouMean } from "./nearest.ts";
import { type Entry, type Placed, startOf, type YamlReader } from "./reader.ts";

export type Outcome =
  | { readonly kind: "allow" }
  | { readonly kind: "deny"; readonly message: string | undefined }
  | ({ readonly kind: "hold"; readonly message: string | undefined } & HoldOutcome)
  | ({ readonly kind: "limit"; readonly message: string | undefined } & Omit<LimitTerms, "rule">)
  | { readonly kind: "mask"; readonly style: MaskStyle };

type HoldOutcome = Pick<HoldTerms, "expiresMs" | "reuseMs"> & Omit<Demand, "rule">;

export const OUTCOMES = ["allow", "deny", "hold", "limit", "mask"] as const;
export type OutcomeKind = (typeof OUTCOMES)[number];
export const STYLES: readonly MaskStyle[] = ["null", "redact", "hash", "partial"];
export const MESSAGE_LENGTH_MAX = 500;
/** As groups of Unix and of identity providers are written. */
export const GROUP = /^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,127}$/;
const HOLD_KEYS = ["approvers", "quorum", "escalate", "expires", "reuse", "message"];
const LIMIT_KEYS = ["rows", "bytes", "statements", "per", "message"];

/** Undefined: it has problems, and they were said. */
export function readOutcome(reader: YamlReader, kind: OutcomeKind, pair: Entry, rule: string): Outcome | undefined {
  switch (kind) {
    case "allow": {
      const entries = reader.entries(pair.value, rule, '"allow"', [], { remedy: "Write allow: {}" });
      return entries === undefined ? undefined : { kind: "allow" };
    }
    case "deny": {
      const remedy = "Write deny: {} or deny: { message: … }";
      const entries = reader.entries(pair.value, rule, '"deny"', ["message"], { remedy });
      if (entries === undefined) return undefined;
      return { kind: "deny", message: readMessage(reader, entries.get("message"), rule) };
    }
    case "hold":
      return readHold(reader, pair, rule);
    case "limit":
      return readLimit(reader, pair, rule);
    case "mask":
      return readMask(reader, pair, rule);
    default:
      return kind satisfies never;
  }
}

function readMask(reader: YamlReader, pair: Entry, rule: string): Outcome | undefined {
  const remedy = `Write mask: { style: ${STYLES.at(-1)} }`;
  const entries = reader.entries(pair.value, rule, '"mask"', ["style"], { remedy });
  if (entries === undefined) return undefined;
  const value = entries.get("style")?.value;
  // YAML reads an unquoted null as no value; here it is the name of a style.
  const written = isScalar(value) && value.value === null && value.source !== "" ? "null" : undefined;
  const before = reader.problemCount;
  const style = written ?? reader.scalar(entries.get("style"), rule, "style")?.text;
  const known = STYLES.find((candidate) => candidate === style);
  if (known !== undefined) return { kind: "mask", style: known };
  if (reader.problemCount > before) return undefined;
  const near = style === undefined ? "" : didYouMean(style, STYLES);
  reader.say(entries.get("style")?.start ?? pair.start, rule, `A mask needs a style of ${STYLES.join(", ")}.${near}`);
  return undefined;
}

function readLimit(reader: YamlReader, pair: Entry, rule: string): Outcome | undefined {
  const remedy = "Write limit: { rows: 1000, per: 1m }";
  const entries = reader.entries(pair.value, rule, '"limit"', LIMIT_KEYS, { remedy });
  if (entries === undefined) return undefined;
  const before = reader.problemCount;
  const most = (key: string) => reader.count(entries.get(key), rule, `"${key}"`, LIMIT_COUNT_MAX);
  const [rows, bytes, statements] = [most("rows"), most("bytes"), most("statements")];
  const perMs = reader.time(entries.get("per"), rule, "per", LIMIT_WINDOW_MS_MAX);
  const message = readMessage(reader, entries.get("message"), rule);
  if (reader.problemCount > before) return undefined;
  if (rows === undefined && bytes === undefined && statements === undefined) {
    reader.say(pair.start, rule, "The limit limits nothing.", 'Give it "rows", "bytes" or "statements".');
    return undefined;
  }
  if (statements !== undefined && perMs === undefined) {
    const start = entries.get("statements")?.start ?? pair.start;
    reader.say(start, rule, '"statements" needs "per": one operation is always one.', "Add per: 1m or the like.");
    return undefined;
  }
  return {
    kind: "limit",
    message,
    ...(rows === undefined ? {} : { rows }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(statements === undefined ? {} : { statements }),
    ...(perMs === undefined ? {} : { perMs }),
  };
}

function readHold(reader: YamlReader, pair: Entry, rule: string): Outcome | undefined {
  const remedy = "Write hold: { approvers: [GROUP] }";
  const entries = reader.entries(pair.value, rule, '"hold"', HOLD_KEYS, { remedy });
  if (entries === undefined) return undefined;
  const before = reader.problemCount;
  const who = readApprovers(reader, entries.get("approvers"), rule, pair.start);
  const quorum = reader.count(entries.get("quorum"), rule, "A quorum", QUORUM_MAX) ?? 1;
  const expiresMs = reader.time(entries.get("expires"), rule, "expires", HOLD_MS_MAX) ?? HOLD_MS;
  const reuseMs = reader.time(entries.get("reuse"), rule, "reuse", REUSE_MS_MAX) ?? 0;
  const message = readMessage(reader, entries.get("message"), rule);
  if (reader.problemCount === before && who.each && quorum < who.approvers.length && entries.has("quorum")) {
    const more = `Leave it out, or ask for ${who.approvers.length} or more.`;
    const start = entries.get("quorum")?.start ?? pair.start;
    reader.say(start, rule, "A quorum cannot be smaller than the groups it needs.", more);
  }
  if (reader.problemCount === before && who.approvers.length === 0 && quorum > 1) {
    const start = entries.get("quorum")?.start ?? pair.start;
    reader.say(start, rule, `Only root may answer, so a quorum of ${quorum} can never be met.`, "Name a group.");
  }
  const escalate = readEscalation(reader, entries.get("escalate"), rule, { each: who.each, expiresMs });
  if (reader.problemCount > before) return undefined;
  const most = who.each ? Math.max(quorum, who.approvers.length) : quorum;
  return { kind: "hold", message, ...who, quorum: most, ...escalate, expiresMs, reuseMs };
}

/** `{ after: 5m, to: [leads] }`: who may answer as well once it has waited for so long. */
function readEscalation(
  reader: YamlReader,
  pair: Entry | undefined,
  rule: string,
  { each, expiresMs }: { readonly each: boolean; readonly expiresMs: number },
): Pick<Demand, "escalate"> {
  const remedy = "Write escalate: { after: 5m, to: [GROUP] }";
  const entries = pair && reader.entries(pair.value, rule, '"escalate"', ["after", "to"], { remedy });
  if (pair === undefined || entries === undefined) return {};
  const afterMs = reader.time(entries.get("after"), rule, "after", HOLD_MS_MAX);
  const to = readGroups(reader, entries.get("to"), rule, "to");
  if (each)
    reader.say(pair.start, rule, '"escalate" does not go with "each", which asks every group.', "Take one out.");
  else if (afterMs === undefined || to.length === 0)
    reader.say(pair.start, rule, '"escalate" needs "after" and "to".', remedy);
  else if (afterMs >= expiresMs) {
    reader.say(pair.start, rule, "It expires before it would be escalated.", 'Make "after" shorter than "expires".');
  } else return { escalate: { afterMs, to } };
  return {};
}

/** Names of groups in a list; empty where there is none. */
function readGroups(reader: YamlReader, pair: Entry | undefined, rule: string, key: string): readonly string[] {
  if (pair === undefined || !isSeq(pair.value)) return [];
  const names = pair.value.items.flatMap(
    (value) => reader.scalar({ value, start: startOf(value) || pair.start }, rule, key) ?? [],
  );
  for (const { text, place } of names) {
    if (!GROUP.test(text)) reader.say(place.offset, rule, `"${text}" cannot be the name of a group.`);
  }
  if (names.length > APPROVERS_MAX) {
    reader.say(pair.start, rule, `There are more than ${APPROVERS_MAX} groups of approvers.`);
  }
  return [...new Set(names.map(({ text }) => text))];
}

/** A list: members of any of these groups; `{ each: [...] }`: of each. */
function readApprovers(
  reader: YamlReader,
  pair: Entry | undefined,
  rule: string,
  start: number,
): Pick<Demand, "approvers" | "each"> {
  const nobody = { approvers: [], each: false };
  if (pair === undefined) {
    reader.say(start, rule, 'A hold needs "approvers".', "Name groups, like [sre]; write [] for root alone.");
    return nobody;
  }
  const before = reader.problemCount;
  const each = isMap(pair.value);
  const inner = each ? reader.entries(pair.value, rule, '"approvers"', ["each"])?.get("each") : pair;
  if (reader.problemCount > before) return nobody;
  if (inner === undefined || !isSeq(inner.value)) {
    reader.say(pair.start, rule, '"approvers" must be a list of groups.', "Write [sre], or { each: [sre, dba] }.");
    return nobody;
  }
  const approvers = readGroups(reader, inner, rule, "approvers");
  if (each && inner.value.items.length === 0) reader.say(pair.start, rule, '"each" names no group.');
  return { approvers, each };
}

function readMessage(reader: YamlReader, pair: Entry | undefined, rule: string): string | undefined {
  const message = reader.scalar(pair, rule, "message");
  if (message !== undefined) checkMessage(reader, message, rule);
  return message?.text;
}

function checkMessage(reader: YamlReader, { text, place }: Placed, rule: string): void {
  if (text.trim() === "") reader.say(place.offset, rule, "The message is empty.");
  if (text.length > MESSAGE_LENGTH_MAX) {
    reader.say(place.offset, rule, `The message is longer than ${MESSAGE_LENGTH_MAX} characters.`);
  }
  // It travels in error messages of protocols and in terminals.
  if (/\p{Cc}|\p{Cs}|[\u2028\u2029]/u.test(text)) {
    reader.say(place.offset, rule, "The message holds control characters.", "Write it on one line.");
  }
}
