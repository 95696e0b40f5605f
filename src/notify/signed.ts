/**
 * What every signed answer has: raw bytes, a signature, a time, JSON that says nothing twice. Believes nothing of a body
 * before its signature was verified; keeps and shows neither body nor key.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { UserError } from "../base/errors.ts";
import { HOLD_COMMENT_MAX, NOTIFY_SKEW_MS } from "../base/limits.ts";
import { readStrictJson, type StrictJson } from "../base/strict-json.ts";

/** One request as it came. */
export interface Incoming {
  /** By lower-case name all values, each by itself. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  readonly body: Buffer;
}

/** What a sender whose signature is good has said. */
export interface Said {
  /** "slack:T123/U456" */
  readonly account: string;
  readonly hold: string;
  /** At least the first 12 characters of it. */
  readonly digest: string;
  readonly answer: "approve" | "deny";
  readonly comment?: string;
  /** Where the sender can be told what came of it, as the sender says. */
  readonly replyUrl?: string;
}

/** Of which signature and time are good. */
export interface Signed {
  /** Equal where the same answer is sent again, and of no other. */
  readonly proof: string;
  /** Throws NOTIFY_FORM. */
  read(): Said;
}

export function hmac(key: Uint8Array, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHmac("sha256", key);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Throws NOTIFY_SIGNATURE unless one of `given`, which are anybody's bytes, is it. Takes as long for every wrong one. */
export function requireSignature(wanted: Buffer, given: readonly Buffer[]): void {
  const fits = given.map((one) => one.length === wanted.length && timingSafeEqual(one, wanted));
  if (!fits.includes(true)) throw forged();
}

/** Throws NOTIFY_SIGNATURE unless the header stands there once. */
export function headerOf({ headers }: Incoming, name: string): string {
  const [value, second] = headers[name] ?? [];
  if (value === undefined || second !== undefined) throw forged();
  return value;
}

/** Seconds since 1970 in digits, and nothing else. Throws NOTIFY_SIGNATURE: a time of another form was never signed. */
export function secondsOf(text: string): number {
  if (!/^[0-9]{1,12}$/.test(text)) throw forged();
  return Number(text) * 1_000;
}

/** Throws NOTIFY_TIME. */
export function requireFresh(atMs: number, nowMs: number): void {
  if (Math.abs(nowMs - atMs) <= NOTIFY_SKEW_MS) return;
  const message = "Cannot take the answer: it was signed more than 5 minutes before or after now";
  throw new UserError("NOTIFY_TIME", message, "Answer again; if it stays so, set the clocks of both hosts");
}

export function forged(): UserError {
  const message = "Cannot take the answer: it does not carry this target's signature";
  return new UserError("NOTIFY_SIGNATURE", message, "Let the sender sign with the secret that the settings name");
}

export function formRefused(why: string): UserError {
  return new UserError("NOTIFY_FORM", `Cannot take the answer: ${why}`, "See docs/notify.md for the form", {
    exitCode: 2,
  });
}

/** One JSON object, or NOTIFY_FORM. */
export function objectOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let json: StrictJson;
  try {
    json = readStrictJson(bytes);
  } catch {
    throw formRefused("it is not JSON"); // without a cause: that would quote it
  }
  if (json.isAmbiguous) throw formRefused("it says something twice, or in a way that can be read otherwise");
  const value = asObject(json.value);
  if (value === undefined) throw formRefused("it is no JSON object");
  return value;
}

/** Undefined: it is none. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}

/** Throws NOTIFY_FORM unless it is such a text. */
export function textOf(value: unknown, form: RegExp, what: string): string {
  if (typeof value === "string" && form.test(value)) return value;
  throw formRefused(`${what} is missing, or not written as it should be`);
}

/** Of a hold as the daemon makes it, and of a digest or its beginning. */
export const HOLD_FORM = /^[a-z2-9]{10}$/;
export const DIGEST_FORM = /^[0-9a-f]{12,64}$/;
export const COMMENT_FORM = new RegExp(`^[^\\p{Cc}\\p{Cf}]{0,${HOLD_COMMENT_MAX}}$`, "u");
