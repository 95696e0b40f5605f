/**
 * Answers that come in from targets: each is known by the signature of that target alone, is new, and is a human's, who
 * then counts exactly as if they had called the daemon (holds/). Keeps no body and shows none.
 */
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { NOTIFY_REFUSALS_TOLD_MAX, NOTIFY_TOLD_MS } from "../base/limits.ts";
import type { Person } from "../holds/entitled.ts";
import type { LiveHolds } from "../holds/holds.ts";
import type { HoldRecord } from "../holds/record.ts";
import { type AuditEvent, type EventFields, userFields } from "../model/event.ts";
import { type NotifyTarget, takesAnswers } from "../model/notify.ts";
import type { SecretRef } from "../model/sink.ts";
import { keyOf, verify } from "./kinds.ts";
import { concerns } from "./notice.ts";
import { Replays } from "./replays.ts";
import type { Incoming, Said, Signed } from "./signed.ts";
import type { TellSender } from "./slack-reply.ts";

export interface AnswersParts {
  readonly clock: Clock;
  readonly emit: (event: AuditEvent) => void;
  readonly readSecret: (reference: SecretRef) => Promise<Buffer>;
  readonly holds: Pick<LiveHolds, "get" | "approve" | "deny">;
  readonly targets: () => readonly NotifyTarget[];
  /** Who that account is; undefined: nobody. Asked for accounts that the target's settings list. */
  readonly humanOf: (account: string, target: NotifyTarget) => Promise<Person | undefined>;
  /** For chats that do not show what their request is answered with. */
  readonly tellSender: TellSender;
}

/** For whoever sent it. */
export interface Reply {
  readonly status: number;
  readonly body: object;
}

export class Answers {
  readonly #parts: AnswersParts;
  readonly #replays = new Replays();
  /** How many were refused since then. */
  #window = { sinceMs: 0, forged: 0, signed: 0 };

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  /** Rejects for faults of ours only. */
  async take(name: string, incoming: Incoming): Promise<Reply> {
    const seen: Seen = { target: this.#parts.targets().find((one) => one.name === name && takesAnswers(one)) };
    try {
      if (seen.target === undefined) throw noTarget();
      seen.signed = await this.#verified(seen.target, incoming);
      seen.said = seen.signed.read();
      return taken(seen.target, await this.#count(seen.target, seen.said));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return this.#refuse(error, seen);
    }
  }

  /** Tells how many more were refused than were told. To be called once a second. */
  tend(): void {
    const atMs = this.#parts.clock.nowMs();
    if (Math.abs(atMs - this.#window.sinceMs) < NOTIFY_TOLD_MS) return;
    const { forged, signed } = this.#window;
    const untold = [forged, signed].reduce((sum, count) => sum + Math.max(0, count - NOTIFY_REFUSALS_TOLD_MAX), 0);
    this.#window = { sinceMs: atMs, forged: 0, signed: 0 };
    if (untold === 0) return;
    const message = `${untold} more answers to held actions were refused and not told one by one`;
    this.#parts.emit({ atMs, kind: "refusals.untold", message, fields: { untold } });
  }

  /** Its signature is good, and it is new. */
  async #verified(target: NotifyTarget, incoming: Incoming): Promise<Signed> {
    if (target.secret === undefined) throw noTarget();
    const secret = await this.#parts.readSecret(target.secret);
    let key: Buffer | undefined;
    try {
      key = keyOf(target, secret);
      const nowMs = this.#parts.clock.nowMs();
      const signed = verify(target, incoming, key, nowMs);
      await this.#requireOwn(target, secret, key);
      this.#replays.require(target.name, signed.proof, nowMs);
      return signed;
    } finally {
      secret.fill(0);
      key?.fill(0);
    }
  }

  /**
   * Throws NOTIFY_SECRET_SHARED where another target has the same secret: nothing that Slack and Teams sign says for which
   * target it is. Asked only when a signature is good, so that strangers have no files read by it.
   */
  async #requireOwn(target: NotifyTarget, secret: Buffer, key: Buffer): Promise<void> {
    for (const other of this.#parts.targets()) {
      if (other.name === target.name || other.secret === undefined) continue;
      const theirs = await this.#parts.readSecret(other.secret).catch(() => undefined); // then it signs nothing either
      if (theirs === undefined) continue;
      const isShared = theirs.equals(secret) || keyIs(other, theirs, key);
      theirs.fill(0);
      if (isShared) throw shared(target, other);
    }
  }

  async #count(target: NotifyTarget, said: Said): Promise<HoldRecord> {
    const { holds, humanOf, clock, emit } = this.#parts;
    const { account, hold, digest, answer, comment } = said;
    const isKnown = Object.hasOwn(target.answers, account) || target.humans.includes(account);
    const person = isKnown ? await humanOf(account, target) : undefined;
    if (person === undefined || person.uid === 0) throw noHuman(account);
    const found = await holds.get(hold);
    if (found === undefined || !concerns(target, found)) {
      const message = `Cannot answer ${hold}: nothing was held by that id, or nothing that this target is told of`;
      throw new UserError("APPROVAL_UNKNOWN", message, "See what waits: sallyport approvals");
    }
    if (!found.digest.startsWith(digest)) {
      const message = `Cannot answer ${hold}: it is not what was answered`; // without its digest: that was not shown there
      throw new UserError("APPROVAL_DIGEST", message, "Look at it again, and answer what it is now");
    }
    const given = { digest, ...(comment === undefined ? {} : { comment }) };
    const record = await holds[answer](hold, given, person);
    const fields = { target: target.name, account, hold, answer, user: person.user, ...userFields(person.uid) };
    const message = `${person.user} answered ${hold} by ${target.name}: ${answer}`;
    const { agent, sessionId, connection } = record;
    emit({ atMs: clock.nowMs(), kind: "notify.answered", message, agent, sessionId, connection, fields });
    return record;
  }

  /**
   * Whoever knocks often is told less, and so is the trail. Nobody is locked out by it, since a good signature always
   * counts; and nobody hides behind it: what is signed and refused is counted by itself.
   */
  #refuse({ code, message, remedy }: UserError, { target, signed, said }: Seen): Reply {
    const { clock, emit } = this.#parts;
    const isTold = ++this.#window[signed === undefined ? "forged" : "signed"] <= NOTIFY_REFUSALS_TOLD_MAX;
    if (isTold) {
      const who: EventFields =
        said === undefined ? {} : { account: said.account, hold: said.hold, answer: said.answer };
      const fields = { ...(target === undefined ? {} : { target: target.name }), code, ...who };
      emit({ atMs: clock.nowMs(), kind: "notify.refused", message, fields });
    }
    if (signed === undefined && !isTold) return { status: 429, body: {} };
    if (isTold && target !== undefined && said?.replyUrl !== undefined)
      void this.#parts.tellSender(target, said.replyUrl, `${message}. ${remedy}`);
    if (signed !== undefined && target?.kind === "teams")
      return { status: 200, body: teamsText(`${message}. ${remedy}`) };
    const status = STATUS[code] ?? (signed === undefined ? undefined : 422);
    // Before the signature is known nobody is told of this host's files.
    return status === undefined ? { status: 503, body: {} } : { status, body: { error: { code, message, remedy } } };
  }
}

/** As far as an answer has come. */
interface Seen {
  readonly target: NotifyTarget | undefined;
  signed?: Signed;
  said?: Said;
}

/** Unlisted: the answer was understood and cannot be carried out. */
const STATUS: Readonly<Record<string, number>> = {
  NOTIFY_TARGET: 404,
  NOTIFY_SIGNATURE: 401,
  NOTIFY_TIME: 401,
  NOTIFY_REPLAYED: 409,
  NOTIFY_FORM: 400,
  NOTIFY_BUSY: 503,
  NOTIFY_ACCOUNT: 403,
  NOTIFY_GROUPS: 403,
  APPROVAL_NOT_PERMITTED: 403,
  APPROVAL_ENDED: 409,
};

/** Teams shows it below what was written; Slack shows nothing of it, and a webhook's sender reads it. */
function taken({ kind }: NotifyTarget, { id, state }: HoldRecord): Reply {
  if (kind === "teams") return { status: 200, body: teamsText(`Taken: ${id} is ${state}`) };
  return { status: 200, body: { hold: id, state } };
}

function teamsText(text: string): object {
  return { type: "message", text };
}

/** One that cannot be used signs nothing. */
function keyIs(other: NotifyTarget, secret: Buffer, key: Buffer): boolean {
  try {
    return keyOf(other, secret).equals(key);
  } catch {
    return false;
  }
}

function shared({ name }: NotifyTarget, other: NotifyTarget): UserError {
  const message = `Cannot take the answer: ${name} and ${other.name} have the same secret`;
  const remedy = "Give each target a secret of its own: of Slack an app each, of Teams an outgoing webhook each";
  return new UserError("NOTIFY_SECRET_SHARED", message, remedy);
}

function noTarget(): UserError {
  const message = "Cannot take the answer: no target of that name takes any";
  return new UserError("NOTIFY_TARGET", message, "Name it in notify.targets, with its secret and whose answers count");
}

function noHuman(account: string): UserError {
  const message = `Cannot take the answer: ${account} is nobody who may answer here`;
  const remedy =
    "Let an administrator name it in humans of the settings, or map it to a user who is not root in answers";
  return new UserError("NOTIFY_ACCOUNT", message, remedy, { exitCode: 4 });
}
