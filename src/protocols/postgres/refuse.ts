/**
 * How a refusal reaches the agent, and what goes to the server in place of what was refused: text
 * that fails to parse there, so that the transaction around it really fails too. Forwarding nothing
 * would let the next Sync commit what came before while the client sees an error.
 */
import type { Verdict } from "../../model/decision.ts";
import type { Asked, Operation } from "../../model/operation.ts";
import { errorResponse, flush, parse, query, sync } from "./messages.ts";
import type { Step } from "./steps.ts";

/** Statements that clients may not name, so that our failing one never meets one of theirs. */
export const RESERVED_PREFIX = "sallyport.";

/** A syntax error on every server in every state, even in a failed transaction. */
const FAILING_TEXT = "sallyport refused this statement";
const FAILING_NAME = `${RESERVED_PREFIX}refused`;

/** What the protocol needs and `connect` permits. One object, so that its decision is cached by identity. */
export const HOUSEKEEPING: Operation = Object.freeze({ actions: Object.freeze([]) });

/** `text` names what is forwarded, e.g. "Sync". */
export function housekeeping(text: string): readonly Asked[] {
  return Object.freeze([Object.freeze({ operation: HOUSEKEEPING, text })]);
}

/** Denied whatever the rules say. */
export function forbidden(rule: `built-in:${string}`, message: string, text: string): Asked {
  return { operation: { actions: [], forbidden: { rule, message } }, text };
}

const FAILING_QUERY: Buffer = query(FAILING_TEXT);
const FAILING_PARSE: Buffer = parse(FAILING_NAME, FAILING_TEXT);
const FAILING_SERIES: Buffer = Buffer.concat([FAILING_PARSE, sync()]);
const FAILING_PART: Buffer = Buffer.concat([FAILING_PARSE, flush()]);

/** What goes to the server in place of a refused group; `error` is what the client gets for the server's own. */
export function inPlaceOf(
  group: { readonly kind: "query" | "series"; readonly ends: "sync" | "open" },
  error: Buffer,
  series: number,
): { readonly bytes: Buffer; readonly steps: readonly Step[] } {
  if (group.kind === "query") {
    const step = {
      kind: "query",
      answer: undefined,
      refusal: error,
      series,
      catalogVersion: "",
      statements: [],
    } as const;
    return { bytes: FAILING_QUERY, steps: [step] };
  }
  const failing: Step = { kind: "parse", answer: undefined, change: undefined, refusal: error };
  if (group.ends === "open") return { bytes: FAILING_PART, steps: [failing] };
  return { bytes: FAILING_SERIES, steps: [failing, { kind: "sync", answer: undefined, series }] };
}

/** The ErrorResponse of a refusal: 42501 with rule and session, as the client shows any server error. */
export function refusal(decision: Extract<Verdict, { kind: "deny" }>, sessionId: string): Buffer {
  return errorResponse([["S", "ERROR"], ["V", "ERROR"], ...refusalFields(decision, sessionId)]);
}

/** The same as the end of a connection that may not be made. */
export function fatalRefusal(decision: Extract<Verdict, { kind: "deny" }>, sessionId: string): Buffer {
  return errorResponse([["S", "FATAL"], ["V", "FATAL"], ...refusalFields(decision, sessionId)]);
}

function refusalFields(
  decision: Extract<Verdict, { kind: "deny" }>,
  sessionId: string,
): readonly (readonly [string, string])[] {
  const rules = decision.rules.length === 0 ? "no rule allows it" : `rule ${decision.rules.join(", ")}`;
  return [
    // What nobody answered in time, or nobody waits for, was canceled rather than forbidden.
    ["C", decision.held === undefined || decision.held.state === "denied" ? "42501" : "57014"],
    ["M", decision.message],
    ["D", `${rules}, session ${sessionId}`],
    ["H", "This was refused by Sallyport, not by the database. Ask those who keep the policy, with the session id."],
  ];
}
