/**
 * Held actions, live: opened by the data path, answered by people, ended by time or by the session. At most once:
 * `approved` is kept before anything else happens, `running` before the data path is told, the result after.
 * Decides nothing about who people are; never sees what is forwarded.
 */
import { messageOf, UserError } from "../base/errors.ts";
import { HOLDS_PRUNED_EVERY } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { AuditEvent } from "../model/event.ts";
import type { HoldStore } from "../store/holds.ts";
import { type Describing, describe } from "./describe.ts";
import { type Person, requireEntitled } from "./entitled.ts";
import { escalatedAt, nextEscalationMs } from "./escalation.ts";
import type { Hold, HoldAnswer, HoldRequest, Holds } from "./hold.ts";
import { missing, requireFirstVote } from "./quorum.ts";
import type { HoldRecord, HoldState, Vote } from "./record.ts";
import { HoldRecords } from "./records.ts";
import { recoverHolds } from "./recovery.ts";
import { fullFor } from "./room.ts";
import { type Answer, checkDigest, checkScope } from "./scope.ts";
import { type Standing, StandingApprovals, standingOf } from "./standing.ts";
import { delegationsOf, voteOf } from "./vote.ts";
import { countedOf, none, ownCounted, type Revote, revoted, type VotesNow, votesNow } from "./withdrawal.ts";
import { answeredEvent, escalatedEvent, eventOf, noticeOf, refusalOf, withdrawnEvent } from "./words.ts";

export interface HoldsParts extends Describing, VotesNow {
  readonly store: HoldStore;
  readonly log: Log;
  readonly emit: (event: AuditEvent) => void;
  /** For tests of crashes: called once the state of that name is kept. */
  readonly kept?: (state: HoldState) => void;
}

interface Live {
  record: HoldRecord;
  readonly answer: (answer: HoldAnswer) => void;
  timer: NodeJS.Timeout | undefined;
  escalation: NodeJS.Timeout | undefined;
  /** Why nobody waits any more, while it is being let go. */
  unwanted: string | undefined;
  /** That would be forwarded. */
  readonly bytes: number;
  /** It is kept, and listed. */
  isSeen: boolean;
  notice: Promise<string>;
}

export class LiveHolds implements Holds {
  readonly #parts: HoldsParts;
  readonly #records: HoldRecords;
  readonly #live = new Map<string, Live>();
  readonly #standing: StandingApprovals;
  readonly #watchers = new Set<(record: HoldRecord) => void>();
  /** Since the start. */
  #ended = 0;
  /** Why nothing may wait any more. */
  #over: string | undefined;

  constructor(parts: HoldsParts) {
    this.#parts = parts;
    this.#records = new HoldRecords(parts.store);
    this.#standing = new StandingApprovals(parts.clock, parts);
  }

  /** Before the first session: what a former daemon left open has ended. */
  recover(): Promise<void> {
    const { store, clock, emit } = this.#parts;
    return recoverHolds(store, clock.nowMs(), emit);
  }

  open(request: HoldRequest): Hold {
    const { promise, resolve } = Promise.withResolvers<HoldAnswer>();
    const { record, isWhole } = describe(request, this.#parts, (id) => this.#live.has(id));
    const standing = this.#standing.find(record.shape, record.origin.startedBy);
    const full = standing === undefined ? fullFor(this.#waiting(), record.agent, request.bytes.length) : undefined;
    const refused = isWhole ? full : "it is too long to be shown to a reviewer whole";
    const live: Live = {
      record: standing === undefined ? record : { ...record, reuses: standing.hold },
      ...{ answer: resolve, timer: undefined, escalation: undefined, unwanted: undefined },
      ...{ isSeen: standing !== undefined, notice: Promise.resolve(""), bytes: request.bytes.length },
    };
    this.#live.set(record.id, live);
    if (this.#over !== undefined) this.#end(live, "abandoned", this.#over);
    else if (refused !== undefined) this.#end(live, "denied", refused);
    else if (standing !== undefined) void this.#release(live);
    const isWaiting = live.record.state === "waiting";
    if (isWaiting) live.timer = setTimeout(() => this.#expire(live), record.expiresMs - record.openedMs).unref();
    if (isWaiting) live.notice = this.#wait(live, request.estimate);
    if (isWaiting) this.#escalateLater(live);
    return {
      id: record.id,
      notice: live.notice,
      answer: promise,
      abandon: (reason) => this.#abandon(live, reason),
      withdraw: (reason) => this.#end(live, "abandoned", `it was approved and not forwarded: ${reason}`),
      finished: (result) => this.#finish(live, result),
    };
  }

  /** Throws APPROVAL_UNKNOWN, APPROVAL_ENDED, APPROVAL_NOT_PERMITTED, APPROVAL_DIGEST, APPROVAL_SCOPE, APPROVAL_TWICE. */
  async approve(id: string, answer: Answer, person: Person): Promise<HoldRecord> {
    const live = this.#live.get(id) ?? (await this.#gone(id, person));
    await live.notice;
    this.#requireAnswerable(live, answer, person);
    checkScope(live.record, answer.forMs);
    this.#revote(live, ownCounted(live.record, person, this.#parts), NO_MORE);
    requireFirstVote(live.record, person, this.#parts.humansOf);
    const vote = voteOf(live.record, answer, person, this.#parts);
    live.record = { ...live.record, votes: [...live.record.votes, vote] };
    this.#parts.emit(answeredEvent("hold.approval", live.record, vote, this.#parts.clock.nowMs()));
    if (live.record.votes.length > 1) {
      this.#revote(live, await votesNow(live.record, this.#parts), NO_MORE);
      if (live.record.state !== "waiting" || live.unwanted !== undefined) return live.record;
    }
    if (missing(live.record, this.#parts) === undefined) await this.#release(live);
    else {
      await this.#records.put(live.record);
      this.#tell(live.record);
    }
    return live.record;
  }

  /** One that may answer is enough. Of a hold whose approval stands: it stands no longer. Throws as `approve`. */
  async deny(id: string, answer: Answer, person: Person): Promise<HoldRecord> {
    const stood = await this.get(id);
    if (stood?.standsUntilMs !== undefined && stood.standsUntilMs > this.#parts.clock.nowMs()) {
      requireEntitled(stood, person, this.#parts);
      const vote = voteOf(stood, answer, person, this.#parts);
      const told = (rest: HoldRecord) => answeredEvent("hold.revoked", rest, vote, this.#parts.clock.nowMs());
      if (this.#standing.end(id)) return this.#unstand(stood, told);
    }
    const live = this.#live.get(id) ?? (await this.#gone(id, person));
    await live.notice;
    this.#requireAnswerable(live, answer, person);
    const denied = voteOf(live.record, answer, person, this.#parts);
    live.record = { ...live.record, denied };
    this.#end(live, "denied", answer.comment ?? "");
    await this.#records.settled();
    return live.record;
  }

  /** Of what waits, these approvals count no more, and what stands by one of them stands no longer. How many of both. */
  withdraw(isMeant: (vote: Vote) => boolean, reason: string, leftOf: (record: HoldRecord) => Revote = none): number {
    const gone = this.#waiting().map((live) => {
      const left = leftOf(live.record);
      return this.#revote(live, (vote) => (isMeant(vote) ? left(vote) : vote), reason);
    });
    const over = this.#standing.endOf(isMeant);
    const failed = (error: unknown) => this.#parts.log.error("An end was not kept", { error: messageOf(error) });
    for (const id of over) void this.#fall(id, isMeant, reason).catch(failed);
    return gone.reduce((sum, many) => sum + many, over.length);
  }

  /** What was approved under this delegation, which has ended: what waits counts on where another right is left to it. */
  withdrawLent(delegation: string, reason: string): number {
    const isMeant = (vote: Vote) => delegationsOf(vote).includes(delegation);
    return this.withdraw(isMeant, reason, (record) => countedOf(record, this.#parts));
  }

  /** Waiting, or let go and not ended; oldest first. */
  list(): readonly HoldRecord[] {
    return [...this.#live.values()].flatMap(({ record, isSeen }) => (isSeen ? [record] : []));
  }

  get waiting(): number {
    return this.#waiting().length;
  }

  /** Newest first, whatever became of them. */
  async all(limit: number): Promise<readonly HoldRecord[]> {
    const records = await this.#records.list(limit);
    return records.map((record) => this.#live.get(record.id)?.record ?? record);
  }

  async get(id: string): Promise<HoldRecord | undefined> {
    return this.#live.get(id)?.record ?? this.#records.get(id);
  }

  /** Earlier ones of the same statement, newest first. */
  similar(record: HoldRecord): Promise<readonly HoldRecord[]> {
    return this.#records.similar(record);
  }

  /** Calls back for every change until the returned function is called. */
  watch(onChange: (record: HoldRecord) => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  /** A delegation of this group is another one than before: who watches what waits for it looks anew. */
  retell(group: string): void {
    for (const { record, isSeen } of this.#waiting()) {
      if (isSeen && record.demands.some(({ approvers }) => approvers.includes(group))) this.#tell(record);
    }
  }

  /** Settings or policy are other ones: no approval stands, also where the former ones come back. */
  endStanding(): void {
    this.#standing.endAll();
  }

  /** Nothing waits any more, also of what comes from now on; what was let go goes on. */
  abandonAll(reason: string): void {
    this.#over = reason;
    for (const live of [...this.#live.values()]) this.#abandon(live, reason);
  }

  /** Nobody sees it before it is kept: a daemon that is killed knows of everything that anybody has seen. */
  async #wait(live: Live, estimate: HoldRequest["estimate"]): Promise<string> {
    try {
      await this.#records.put(live.record);
    } catch (error) {
      this.#unkept(live, error);
    }
    const { record } = live;
    if (record.state !== "waiting") return "";
    live.isSeen = true;
    this.#parts.emit(eventOf(record, this.#parts.clock.nowMs()));
    this.#tell(record);
    void this.#estimate(live, estimate);
    return noticeOf(record);
  }

  /** Everything that ended is kept. */
  async close(): Promise<void> {
    for (const live of this.#live.values()) clearTimers(live);
    await this.#records.settled();
  }

  /** Whether anybody has seen them or not. */
  #waiting(): readonly Live[] {
    return [...this.#live.values()].filter(({ record }) => record.state === "waiting");
  }

  async #estimate(live: Live, estimate: HoldRequest["estimate"]): Promise<void> {
    const asked = estimate?.() ?? Promise.resolve("not known: the protocol has no estimates");
    const found = await asked.catch((error: unknown) => `not known: ${messageOf(error)}`);
    if (live.record.endedMs !== undefined) return;
    live.record = { ...live.record, estimate: found };
    this.#tell(live.record);
  }

  /** Why an id that is not live cannot be answered. */
  async #gone(id: string, person: Person): Promise<never> {
    const record = await this.get(id);
    if (record === undefined) {
      throw new UserError("APPROVAL_UNKNOWN", `Cannot find ${id}: nothing was held by that id`, SEE_ALL);
    }
    requireEntitled(record, person, this.#parts);
    throw ended(record);
  }

  /** In one turn with the answer: of two people who answer at once the second one sees what the first has done. */
  #requireAnswerable({ record, unwanted }: Live, { digest }: Answer, person: Person): void {
    requireEntitled(record, person, this.#parts);
    if (record.state !== "waiting" || unwanted !== undefined) throw ended(record);
    checkDigest(record, digest);
  }

  #revote(live: Live, now: Revote, reason: string): number {
    if (live.record.state !== "waiting") return 0;
    const { record, gone } = revoted(live.record, now);
    live.record = record;
    for (const vote of gone) this.#parts.emit(withdrawnEvent(record, vote, reason, this.#parts.clock.nowMs()));
    if (gone.length === 0) return 0;
    void this.#records.put(live.record).catch((error: unknown) => this.#unkept(live, error));
    this.#tell(record);
    return gone.length;
  }

  /** Lets it go. The states are kept one after the other; whoever stops wanting it meanwhile is heard until the last one. */
  async #release(live: Live): Promise<void> {
    clearTimers(live);
    const { record } = live;
    const standing =
      record.reuses === undefined ? this.#stand(record) : this.#standing.find(record.shape, record.origin.startedBy);
    const by = standing?.by ?? record.votes.map(({ name }) => name);
    const stands = standing === undefined ? {} : { standsUntilMs: standing.untilMs };
    live.record = { ...record, ...(record.reuses === undefined ? stands : {}), state: "approved" };
    try {
      await this.#records.put(live.record);
      this.#parts.kept?.("approved");
      this.#parts.emit(eventOf(live.record, this.#parts.clock.nowMs(), by));
      this.#tell(live.record);
      if (live.unwanted === undefined) {
        live.record = { ...live.record, state: "running" };
        await this.#records.put(live.record);
        this.#parts.kept?.("running");
      }
    } catch (error) {
      this.#unkept(live, error);
      return;
    }
    if (live.unwanted !== undefined) {
      this.#end(live, "abandoned", `it was approved and not forwarded: ${live.unwanted}`);
      return;
    }
    this.#tell(live.record);
    live.answer({ kind: "approved", approval: { hold: record.id, by } });
  }

  #stand(record: HoldRecord): Standing | undefined {
    const standing = standingOf(record, this.#parts);
    if (standing !== undefined) this.#standing.add(record.shape, standing);
    return standing;
  }

  async #fall(id: string, isMeant: (vote: Vote) => boolean, reason: string): Promise<void> {
    const record = await this.get(id);
    const vote = record?.votes.find(isMeant);
    if (record === undefined || vote === undefined) return;
    await this.#unstand(record, (rest) => withdrawnEvent(rest, vote, reason, this.#parts.clock.nowMs()));
  }

  /** Its approval stands no longer. */
  async #unstand(record: HoldRecord, eventOf: (rest: HoldRecord) => AuditEvent): Promise<HoldRecord> {
    const live = this.#live.get(record.id);
    const { standsUntilMs: _over, ...rest } = live?.record ?? record;
    if (live !== undefined) live.record = rest;
    this.#parts.emit(eventOf(rest));
    await this.#records.put(rest);
    this.#tell(rest);
    return rest;
  }

  #escalateLater(live: Live): void {
    const atMs = nextEscalationMs(live.record);
    if (atMs === undefined) return;
    live.escalation = setTimeout(
      () => this.#escalate(live, atMs),
      Math.max(0, atMs - this.#parts.clock.nowMs()),
    ).unref();
  }

  /** By the time that was meant: a clock that was set back asks nobody later. */
  #escalate(live: Live, atMs: number): void {
    if (live.record.state !== "waiting") return;
    const { record, to } = escalatedAt(live.record, atMs);
    live.record = record;
    this.#parts.emit(escalatedEvent(record, to, this.#parts.clock.nowMs()));
    void this.#records.put(live.record).catch((error: unknown) => this.#unkept(live, error));
    if (live.isSeen) this.#tell(record);
    this.#escalateLater(live);
  }

  #expire(live: Live): void {
    if (live.record.state === "waiting") this.#end(live, "expired", "");
  }

  #abandon(live: Live, reason: string): void {
    if (live.record.state === "waiting") this.#end(live, "abandoned", reason);
    else live.unwanted ??= reason;
  }

  #finish(live: Live, result: string | undefined): void {
    if (live.record.state !== "running") return;
    if (result === undefined) this.#end(live, "unknown", "it was forwarded, and the session ended before the answer");
    else this.#end(live, "executed", "", result);
  }

  #unkept(live: Live, error: unknown): void {
    this.#parts.log.error("A held action could not be kept", { hold: live.record.id, error: messageOf(error) });
    this.#end(live, "denied", "it could not be kept");
  }

  #end(live: Live, state: HoldState, reason: string, result?: string): void {
    if (live.record.endedMs !== undefined) return;
    clearTimers(live);
    const endedMs = this.#parts.clock.nowMs();
    const why = reason === "" ? {} : { reason };
    live.record = { ...live.record, state, endedMs, ...why, ...(result === undefined ? {} : { result }) };
    this.#live.delete(live.record.id);
    const { record } = live;
    this.#parts.emit(eventOf(record, endedMs));
    const isMany = ++this.#ended % HOLDS_PRUNED_EVERY === 0;
    const kept = this.#records.put(record).then(() => (isMany ? this.#records.prune() : undefined));
    void kept.catch((error: unknown) => {
      this.#parts.log.error("The end of a held action could not be kept", { hold: record.id, error: messageOf(error) });
    });
    this.#tell(record);
    const refusal = refusalOf(record);
    if (refusal !== undefined) live.answer({ kind: "refused", ...refusal });
  }

  #tell(record: HoldRecord): void {
    for (const watcher of this.#watchers) watcher(record);
  }
}

const NO_MORE = "who gave it may not answer any more";
const SEE_ALL = "See what became of it: sallyport approvals --all";

function clearTimers({ timer, escalation }: Live): void {
  clearTimeout(timer);
  clearTimeout(escalation);
}

function ended({ id, state }: HoldRecord): UserError {
  return new UserError("APPROVAL_ENDED", `Cannot answer ${id}: it is ${state} already`, SEE_ALL);
}
