/**
 * Checkpoints: what the audit trail and the recordings came to at one instant, signed with the host's key. Each names
 * the one before. Pure: no files, no clock, no key of its own.
 *
 * What is signed (Ed25519, RFC 8032), each line ended by "\n":
 *
 *   sallyport-checkpoint-v1
 *   number 7
 *   at 1767225600000              milliseconds since the Unix epoch
 *   trail 1203 9f86…              sequence and hash of the newest line of the audit trail
 *   roots 2c26…                   SHA-256 of `roots`, as it stands in the event
 *   previous b5bb…                SHA-256 of what was signed before; 64 zeroes for the first
 *   key 5d41402abc4b2a76          whose key it is: the first 16 digits of the SHA-256 of its SPKI form
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { AuditEvent } from "../model/event.ts";
import type { Root } from "../recorder/recorder.ts";

export const CHECKPOINT_KIND = "evidence.checkpoint";
export const FIRST_PREVIOUS = "0".repeat(64);

export interface Checkpoint {
  readonly number: number;
  readonly atMs: number;
  /** Of the newest line of the audit trail. */
  readonly seq: number;
  readonly hash: string;
  /** One root a line; "" for none. */
  readonly roots: string;
  readonly previous: string;
  readonly key: string;
  /** Base64. */
  readonly signature: string;
}

export function signCheckpoint(what: Omit<Checkpoint, "key" | "signature">, privateKey: KeyObject): Checkpoint {
  const unsigned = { ...what, key: keyIdOf(createPublicKey(privateKey)) };
  const signature = sign(null, Buffer.from(statementOf(unsigned)), privateKey).toString("base64");
  return { ...unsigned, signature };
}

export function isSignedBy(checkpoint: Checkpoint, publicKey: KeyObject): boolean {
  return verify(null, Buffer.from(statementOf(checkpoint)), publicKey, Buffer.from(checkpoint.signature, "base64"));
}

/** What the next one names as the one before. */
export function identityOf(checkpoint: Omit<Checkpoint, "signature">): string {
  return sha256(statementOf(checkpoint));
}

export function keyIdOf(publicKey: KeyObject): string {
  return sha256(publicKey.export({ type: "spki", format: "der" })).slice(0, 16);
}

export function checkpointEvent(checkpoint: Checkpoint): AuditEvent {
  const { atMs, ...fields } = checkpoint;
  const sessions = rootsIn(checkpoint).length;
  const message = `Checkpoint ${checkpoint.number}: the trail up to ${checkpoint.seq}, and ${sessions} recordings`;
  return { atMs, kind: CHECKPOINT_KIND, message, fields };
}

/** undefined where the event has not all that a checkpoint has. */
export function checkpointIn({ atMs, kind, fields = {} }: AuditEvent): Checkpoint | undefined {
  if (kind !== CHECKPOINT_KIND) return undefined;
  const { number, seq, hash, roots, previous, key, signature } = fields as Partial<Record<string, unknown>>;
  if (typeof number !== "number" || typeof seq !== "number") return undefined;
  const texts = { hash, roots, previous, key, signature };
  if (Object.values(texts).some((text) => typeof text !== "string")) return undefined;
  return { number, atMs, seq, ...(texts as Record<keyof typeof texts, string>) };
}

export function textOfRoots(roots: readonly Root[]): string {
  return roots
    .map(({ sessionId, segment, sequence, hash, state }) => `${sessionId} ${segment} ${sequence} ${hash} ${state}`)
    .join("\n");
}

const ROOT = /^([A-Za-z0-9_-]{1,64}) (\d{1,9}) (\d{1,15}) ([0-9a-f]{64}) (open|closed|interrupted)$/;

/** Lines that are no roots are left out: nothing is proved by them. */
export function rootsIn({ roots }: Pick<Checkpoint, "roots">): readonly Root[] {
  return roots.split("\n").flatMap((line) => {
    const [, sessionId = "", segment, sequence, hash = "", state] = ROOT.exec(line) ?? [];
    if (state === undefined) return [];
    return [{ sessionId, segment: Number(segment), sequence: Number(sequence), hash, state: state as Root["state"] }];
  });
}

function statementOf(what: Omit<Checkpoint, "signature">): string {
  const lines = [
    "sallyport-checkpoint-v1",
    `number ${what.number}`,
    `at ${what.atMs}`,
    `trail ${what.seq} ${what.hash}`,
    `roots ${sha256(what.roots)}`,
    `previous ${what.previous}`,
    `key ${what.key}`,
  ];
  return `${lines.join("\n")}\n`;
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
