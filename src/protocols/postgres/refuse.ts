/**
 * How a refusal reaches the agent, and what goes to the server in place of what was refused: text
 * that fails to parse there, so that the transaction around it really fails too. Forwarding nothing
 * would let the next Sync commit what came before while the client sees an error.
 */
import type { Decision } from "../../model/decision.ts";
import type { Asked, Operation } from "../../model/operation.ts";
import { errorResponse, flush, parse, query, sync } from "./messages.ts";

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

/** In place of a refused Query or FunctionCall: fails, ends any transaction block, answers ReadyForQuery. */
export const FAILING_QUERY: Buffer = query(FAILING_TEXT);
/** In place of refused extended messages that end in Sync. */
export const FAILING_SERIES: Buffer = Buffer.concat([parse(FAILING_NAME, FAILING_TEXT), sync()]);
/** In place of refused extended messages whose Sync is still to come. */
export const FAILING_PARSE: Buffer = Buffer.concat([parse(FAILING_NAME, FAILING_TEXT), flush()]);

/** The ErrorResponse of a refusal: 42501 with rule and session, as the client shows any server error. */
export function refusal(decision: Extract<Decision, { kind: "deny" }>, sessionId: string): Buffer {
  return errorResponse([["S", "ERROR"], ["V", "ERROR"], ...refusalFields(decision, sessionId)]);
}

/** The same as the end of a connection that may not be made. */
export function fatalRefusal(decision: Extract<Decision, { kind: "deny" }>, sessionId: string): Buffer {
  return errorResponse([["S", "FATAL"], ["V", "FATAL"], ...refusalFields(decision, sessionId)]);
}

function refusalFields(
  decision: Extract<Decision, { kind: "deny" }>,
  sessionId: string,
): readonly (readonly [string, string])[] {
  const rules = decision.rules.length === 0 ? "no rule allows it" : `rule ${decision.rules.join(", ")}`;
  return [
    ["C", "42501"],
    ["M", decision.message],
    ["D", `${rules}, session ${sessionId}`],
    ["H", "This was refused by Sallyport, not by the database. Ask those who keep the policy, with the session id."],
  ];
}
