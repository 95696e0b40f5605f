/**
 * Delegations of approvals: whose membership of a group is lent to whom, until when. Kept over restarts, ended on time,
 * and worth no more than what the lender has at this moment. Knows no held actions: holds/entitled.ts says what a loan
 * lets one answer.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { UserError } from "../../base/errors.ts";
import {
  DELEGATION_MS_MAX,
  DELEGATIONS_EACH_MAX,
  DELEGATIONS_ENDED_KEPT_MAX,
  DELEGATIONS_MAX,
} from "../../base/limits.ts";
import type { Loan, Standing } from "../../model/delegation.ts";
import type { AuditEvent, EventFields } from "../../model/event.ts";
import { type HumansOf, haveCommon } from "../../model/human.ts";
import type { HumanRecordStore } from "../../store/human-records.ts";
import { type Deadline, deadlineAt, isPast, type Now } from "../deadline.ts";

export interface Party {
  /** As people know them; a human by their name and account: "Ada [corp:ada]". */
  readonly name: string;
  /** As they are listed: "corp:ada", "unix:2001", a name of `humans` in the settings. */
  readonly account: string;
  /** By which they are known for good: issuer and subject, since an account's name may be somebody else's later. */
  readonly accounts: readonly string[];
}

export interface Lender extends Party {
  /** Others' accounts that they acted through. */
  readonly through: readonly string[];
  /** "member": of the group itself, by nobody's delegation; "admin": of any group, and it is told that it was not theirs. */
  readonly as: "member" | "admin";
}

export interface Delegation {
  readonly id: string;
  readonly group: string;
  readonly from: Lender;
  readonly to: Party;
  /** "" without one. */
  readonly reason: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The same end by the clock since boot, in nanoseconds, and of which boot. */
  readonly boot: { readonly id: string; readonly endsNs: string };
  readonly ended?: { readonly atMs: number; readonly why: string };
}

export interface ListedDelegation {
  readonly delegation: Delegation;
  readonly isOver: boolean;
  /** Why it lends nothing, or nothing at this moment. */
  readonly why: string | undefined;
}

/** Of a lender who has what they lend. */
export type NewDelegation = Pick<Delegation, "group" | "from" | "to" | "reason" | "untilMs">;

/** What the lender has by now. "unknown": nobody can say at this moment, so that it does not count and has not ended. */
export type Right = "held" | "lost" | "unknown";

export interface DelegationParts {
  readonly store: HumanRecordStore;
  readonly clock: Clock;
  /** CLOCK_BOOTTIME in nanoseconds, and which boot of the host this is. */
  readonly bootNs: () => bigint;
  readonly bootId: string;
  readonly emit: (event: AuditEvent) => void;
  readonly humansOf: HumansOf;
  /** Never rejects. */
  readonly rightOf: (lender: Lender, group: string) => Promise<Right>;
  /** Takes back what was approved under a delegation that has ended; how many times. */
  readonly withdrawLent: (delegation: string, reason: string) => number;
}

interface Kept {
  readonly delegation: Delegation;
  readonly deadline: Deadline;
  /** When it was last looked at; undefined: not yet, so that it does not count. */
  readonly right: Right | undefined;
}

export class Delegations {
  readonly #parts: DelegationParts;
  /** Oldest first. */
  readonly #all = new Map<string, Kept>();
  /** Those whose end is not written yet. */
  readonly #unwritten = new Set<string>();
  readonly #watchers = new Set<(group: string) => void>();
  #making: Promise<unknown> = Promise.resolve();

  constructor(parts: DelegationParts) {
    this.#parts = parts;
  }

  /** In another boot only the wall clock is left: then one lasts no longer than its whole time once more. */
  async restore(): Promise<void> {
    const found = (await this.#parts.store.all<Delegation>("delegation")).map(([, delegation]) => delegation);
    const now = this.#now();
    for (const delegation of found.toSorted((a, b) => a.sinceMs - b.sinceMs)) {
      const { id, sinceMs, untilMs, boot } = delegation;
      const atMost = deadlineAt(Math.min(untilMs, now.nowMs + untilMs - sinceMs), now);
      const endsNs = boot.id === this.#parts.bootId ? BigInt(boot.endsNs) : atMost.endsNs;
      this.#all.set(id, { delegation, deadline: { endsMs: untilMs, endsNs }, right: undefined });
    }
  }

  /** Kept before it counts, one after the other. Throws DELEGATION_WHO, DELEGATION_TIME, DELEGATIONS_FULL. */
  make(asked: NewDelegation, by: EventFields): Promise<ListedDelegation> {
    const made = this.#making.then(() => this.#make(asked, by));
    this.#making = made.catch(() => {});
    return made;
  }

  /** Ends it; undefined: there is none of that id that stands. */
  async end(id: string, why: string, by: EventFields): Promise<ListedDelegation | undefined> {
    const kept = this.#all.get(id);
    const stood = kept !== undefined && this.#whyOver(kept) === undefined;
    if (stood) this.#end(kept, why, by);
    else if (!this.#unwritten.has(id)) return undefined; // else its end could not be written the last time
    await this.#writeEnds();
    return this.list().find(({ delegation }) => delegation.id === id);
  }

  /** Ends all that one of these accounts lends or borrows. `approvals`: given under them, and taken back. */
  async endOf(isMeant: (account: string) => boolean, why: string, by: EventFields) {
    const meant = this.#standing().filter(({ delegation: { from, to } }) =>
      [...from.accounts, ...to.accounts].some(isMeant),
    );
    const approvals = meant.reduce((sum, kept) => sum + this.#end(kept, why, by), 0);
    await this.#writeEnds();
    return { delegations: meant.length, approvals };
  }

  /** What somebody known by these accounts, and nobody else, has been lent. What lenders have is looked up anew. */
  async lentTo(accounts: readonly string[]): Promise<readonly Loan[]> {
    const { humansOf } = this.#parts;
    const own = humansOf(accounts);
    if (own.size !== 1) return [];
    const theirs = this.#standing().filter(({ delegation: { to } }) => haveCommon(humansOf(to.accounts), own));
    const ids = theirs.map(({ delegation }) => delegation.id);
    await this.look(ids);
    return ids.flatMap((id) => this.loan(id) ?? []);
  }

  /**
   * What it lends at this moment, by what the lender had when that was looked up last. Nothing where lender or borrower are
   * not one human each, or may be the same one.
   */
  readonly loan: Standing = (id) => {
    const kept = this.#all.get(id);
    if (kept === undefined || this.#whyNot(kept) !== undefined) return undefined;
    const { group, from, untilMs } = kept.delegation;
    const by = from.as === "admin" ? `admin ${from.name}` : from.name;
    return { delegation: id, group, by, accounts: from.accounts, through: from.through, endsMs: untilMs };
  };

  /** Looks up what the lenders of these have by now; whoever has lost it lends nothing from then on. Never rejects. */
  async look(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const asked = this.#all.get(id)?.delegation;
      if (asked === undefined || asked.ended !== undefined) continue;
      const right = await this.#parts.rightOf(asked.from, asked.group);
      const kept = this.#all.get(id);
      if (kept === undefined || kept.delegation.ended !== undefined) continue;
      this.#all.set(id, { ...kept, right });
      if (right === "lost") this.#end(kept, LOST[asked.from.as], {});
    }
  }

  /** Newest first. */
  list(): readonly ListedDelegation[] {
    return [...this.#all.values()].reverse().map((kept) => this.#listed(kept));
  }

  /** Calls back with the group whenever somebody may answer for it, or not any more, by another delegation than before. */
  watch(onChange: (group: string) => void): void {
    this.#watchers.add(onChange);
  }

  /** Ends those whose time is up, or whose lender has nothing to lend any more. */
  async sweep(): Promise<void> {
    for (const kept of this.#all.values()) {
      if (kept.delegation.ended === undefined && this.#whyOver(kept) !== undefined) this.#end(kept, EXPIRED, {});
    }
    await this.look(this.#standing().map(({ delegation }) => delegation.id));
    await this.#writeEnds();
  }

  async #make({ group, from, to, reason, untilMs }: NewDelegation, by: EventFields): Promise<ListedDelegation> {
    const now = this.#now();
    this.#refuse({ group, from, to, untilMs }, now.nowMs);
    const deadline = deadlineAt(untilMs, now);
    const boot = { id: this.#parts.bootId, endsNs: deadline.endsNs.toString() };
    const id = this.#newId();
    const delegation: Delegation = { id, group, from, to, reason, sinceMs: now.nowMs, untilMs, boot };
    await this.#parts.store.put("delegation", id, delegation);
    const kept: Kept = { delegation, deadline, right: "held" }; // by whoever has just looked it up
    this.#all.set(id, kept);
    this.#say("delegation.made", `${to.name} may answer for ${group} in the place of ${from.name}`, delegation, {
      ...by,
      ...(reason === "" ? {} : { reason }),
    });
    return this.#listed(kept);
  }

  #refuse({ group, from, to, untilMs }: Omit<NewDelegation, "reason">, nowMs: number): void {
    const { humansOf } = this.#parts;
    const cannot = `Cannot lend ${group} to ${to.account}`;
    const lender = humansOf(from.accounts);
    if (haveCommon(lender, humansOf(to.accounts))) {
      throw new UserError("DELEGATION_WHO", `${cannot}: that is you yourself`, "Name somebody else");
    }
    if (!(untilMs - nowMs >= 1_000 && untilMs - nowMs <= DELEGATION_MS_MAX)) {
      const most = `${DELEGATION_MS_MAX / 86_400_000} days`;
      const remedy = `Name an end within ${most}; whoever answers for longer belongs into the group`;
      throw new UserError("DELEGATION_TIME", `${cannot} until then: it must end in the future, within ${most}`, remedy);
    }
    const standing = this.#standing();
    const own = standing.filter(({ delegation }) => haveCommon(humansOf(delegation.from.accounts), lender)).length;
    if (own < DELEGATIONS_EACH_MAX && standing.length < DELEGATIONS_MAX) return;
    const message = `${cannot}: ${own} of your delegations stand, and ${standing.length} of all`;
    throw new UserError("DELEGATIONS_FULL", message, "End those that nobody needs: sallyport approvals undelegate ID");
  }

  /** Counts at once, and is written afterwards: what could not be written is, by the next one that can. Approvals taken back. */
  #end(kept: Kept, why: string, by: EventFields): number {
    const delegation = { ...kept.delegation, ended: { atMs: this.#parts.clock.nowMs(), why } };
    const { id, group, from, to } = delegation;
    this.#all.set(id, { ...kept, delegation });
    this.#unwritten.add(id);
    const message = `${to.name} no longer answers for ${group} in the place of ${from.name}: ${why}`;
    if (why === EXPIRED) this.#say("delegation.expired", message, delegation, { why });
    else this.#say("delegation.ended", message, delegation, { ...by, why });
    return this.#parts.withdrawLent(id, `delegation ${id} has ended: ${why}`);
  }

  async #writeEnds(): Promise<void> {
    const { store } = this.#parts;
    for (const id of this.#unwritten) {
      const kept = this.#all.get(id);
      if (kept !== undefined) await store.put("delegation", id, kept.delegation);
      this.#unwritten.delete(id);
    }
    const ended = [...this.#all.values()].filter(({ delegation }) => delegation.ended !== undefined);
    for (const { delegation } of ended.slice(0, Math.max(0, ended.length - DELEGATIONS_ENDED_KEPT_MAX))) {
      await store.remove("delegation", delegation.id);
      this.#all.delete(delegation.id);
    }
  }

  #listed(kept: Kept): ListedDelegation {
    return { delegation: kept.delegation, isOver: this.#whyOver(kept) !== undefined, why: this.#whyNot(kept) };
  }

  #standing(): readonly Kept[] {
    return [...this.#all.values()].filter((kept) => this.#whyOver(kept) === undefined);
  }

  #whyOver({ delegation, deadline }: Kept): string | undefined {
    return delegation.ended?.why ?? (isPast(deadline, this.#now()) ? EXPIRED : undefined);
  }

  #whyNot(kept: Kept): string | undefined {
    const over = this.#whyOver(kept);
    if (over !== undefined) return over;
    if (kept.right !== "held") return "what the lender has cannot be told now";
    const { humansOf } = this.#parts;
    const { from, to } = kept.delegation;
    const [lender, borrower] = [humansOf(from.accounts), humansOf(to.accounts)];
    if (lender.size !== 1 || borrower.size !== 1) return "an account of it is of several people";
    return haveCommon(lender, borrower) ? "lender and borrower are the same human" : undefined;
  }

  #say(kind: string, message: string, delegation: Delegation, more: EventFields): void {
    const { id, group, from, to, untilMs } = delegation;
    const who = { from: from.name, fromAccount: from.account, as: from.as, to: to.name, toAccount: to.account };
    const fields = { delegation: id, group, ...who, until: new Date(untilMs).toISOString(), ...more };
    this.#parts.emit({ atMs: this.#parts.clock.nowMs(), kind, message, fields });
    for (const watcher of this.#watchers) watcher(group);
  }

  #now(): Now {
    return { nowMs: this.#parts.clock.nowMs(), bootNs: this.#parts.bootNs() };
  }

  /** Short enough to read out; nothing depends on nobody's knowing it. */
  #newId(): string {
    for (;;) {
      const id = randomBytes(5).toString("hex");
      if (!this.#all.has(id)) return id;
    }
  }
}

const EXPIRED = "its time is up";
const LOST: Readonly<Record<Lender["as"], string>> = {
  member: "the lender is not a member of the group any more",
  admin: "the lender is not an admin any more",
};
