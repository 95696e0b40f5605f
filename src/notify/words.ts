/** A notice in words for a chat. Whatever an agent could have written is spelled out; making it inert is for each kind of chat. */
import { NOTIFY_LINES_MAX, NOTIFY_TEXT_MAX, NOTIFY_VALUE_MAX } from "../base/limits.ts";
import { spellOut } from "../base/printable.ts";
import type { HeldData, HoldNotice, Notice } from "./notice.ts";

export interface Spoken {
  /** One sentence. */
  readonly title: string;
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  /** All of the statements, with their line breaks, or none. */
  readonly statements: readonly string[];
  /** What an answer to it must name; absent: it is not to be answered there. */
  readonly answerable?: { readonly hold: string; readonly digest: string };
  /** Why it is not, though it waits. */
  readonly note?: string;
}

/** Statements that do not fit are left out whole, and then nobody answers by that message: who answers has seen all. */
export function speak({ type, data }: Notice): Spoken {
  if (type === "notice.test") return { title: data.message, facts: [], statements: [] };
  const { hold, digest, state } = data;
  const statements = statementsOf(data);
  const text = statements.join("\n");
  const isWhole = text.length <= NOTIFY_TEXT_MAX && text.split("\n").length <= NOTIFY_LINES_MAX;
  const isOpen = state === "waiting" && isWhole;
  const facts = [...factsOf(data), ["Digest", isOpen ? digest : ""] as const].filter(([, value]) => value !== "");
  return {
    title: shortened(spellOut(titleOf(type, data))),
    facts: facts.map(([name, value]) => ({ name, value: shortened(spellOut(value)) })),
    statements: isWhole ? statements : [],
    ...(isOpen ? { answerable: { hold, digest } } : {}),
    ...(state === "waiting" && !isWhole ? { note: `See all of it, and answer: sallyport approvals show ${hold}` } : {}),
  };
}

function statementsOf({ statements = [] }: HeldData): readonly string[] {
  const texts = statements.map(({ text, parameters }) => {
    const values = parameters.map((value) => (value === null ? "NULL" : JSON.stringify(value))).join(", ");
    return linesOf(values === "" ? text : `${text}\nwith ${values}`);
  });
  return texts.filter((text) => text !== "");
}

function titleOf(type: HoldNotice["type"], data: HeldData): string {
  const { agent, connection, message, state, deniedBy, approvedBy } = data;
  const what = `an action of ${agent} on ${connection}`;
  switch (type) {
    case "notice.held":
      return `Held: ${what}. ${message}`;
    case "notice.answered":
      return `${approvedBy.at(-1) ?? "Somebody"} approved ${what}`;
    case "notice.expired":
      return `Nobody answered in time for ${what}`;
    case "notice.ended":
      return deniedBy === undefined ? `Over (${state}): ${what}` : `${deniedBy} denied ${what}`;
    default:
      return type satisfies never;
  }
}

function factsOf(data: HeldData): readonly (readonly [string, string])[] {
  return [
    ["Hold", data.hold],
    ["Rule", data.rules.join(", ")],
    ["Actions", data.actions.join(", ")],
    ["Tables", data.tables.join(", ")],
    ["May answer", data.approvers.join("; ")],
    ["Approved by", data.approvedBy.join(", ")],
    ["Needs", data.missing ?? ""],
    ["Result", data.result ?? ""],
    ["Expires", data.state === "waiting" ? data.expiresAt : ""],
  ];
}

function linesOf(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll("\t", "  ").split("\n").map(spellOut).join("\n");
}

function shortened(text: string): string {
  return text.length <= NOTIFY_VALUE_MAX ? text : `${text.slice(0, NOTIFY_VALUE_MAX - 1).toWellFormed()}…`;
}
