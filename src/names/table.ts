/**
 * The kernel's destination table: what the settings say, and what answers taught for their TTL. The only place that
 * writes it. Rows are in force before an answer goes out, and gone a little after the client was told to forget.
 */
import type { Destination } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import {
  DESTINATION_ROWS_MAX,
  LEARNED_GRACE_MS,
  LEARNED_MAX,
  LEARNED_MAX_MS,
  LEARNED_MIN_MS,
  LEARNED_PER_AGENT_MAX,
} from "../base/limits.ts";
import type { Planned } from "../kernel/destinations.ts";
import { ExplicitRows, type Fact, isUseful, joinRows, rowsFor } from "./compose.ts";
import { canonical } from "./ip.ts";
import type { NameRules } from "./rules.ts";

/** What became of one address of an answer. */
export type Learning =
  /** It may be told. */
  | { readonly kind: "learned" }
  /** An answer from outside may not bring it. */
  | { readonly kind: "barred" }
  /** Another connection has this address and port: the kernel could not tell them apart. */
  | { readonly kind: "shared" }
  | { readonly kind: "full" };

/** What a change of the table closed. */
export interface Closed {
  /** Rows that allowed something and are gone. */
  readonly gone: readonly Destination[];
  /** What is allowed now, with the addresses of before of names that still are: a name that moved on closes no flow. */
  readonly kept: readonly Destination[];
}

interface Entry {
  readonly fact: Fact;
  readonly agent: number;
  rows: readonly Destination[];
  untilMs: number;
}

interface Plan {
  readonly explicit: ExplicitRows;
  readonly rules: NameRules;
  readonly facts: readonly Fact[];
  readonly rows: readonly Destination[];
}

/** Expiry is looked for no more often. */
const SWEEP_MIN_MS = 1_000;
/** A write of 8,000 rows takes tens of milliseconds of the one thread: it may have a fifth of it, and answers wait. */
const REST_FACTOR = 4;

export class DestinationTable {
  readonly #set: (rows: readonly Destination[]) => void;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #perAgent = new Map<number, number>();
  #plan: Plan | undefined;
  #rowCount = 0;
  #allowed: ReadonlyMap<string, Destination> = new Map();
  #fresh: Entry[] = [];
  #flush: Promise<void> | undefined;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #writeTookMs = 0;
  #ownersKept: Map<string, number> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: { readonly clock: Clock; readonly set: (rows: readonly Destination[]) => void }) {
    this.#set = parts.set;
    this.#clock = parts.clock;
  }

  /** Addresses that were learned from answers and still count. */
  get learned(): number {
    return this.#entries.size;
  }

  /**
   * Puts other settings, or newer addresses of their names, in force at once. What was learned is judged by the new
   * rules. Returns what that closed. Throws what the kernel throws; then all stays as it was.
   */
  adopt(planned: Planned, rules: NameRules, isHosts: (name: string) => boolean): Closed {
    const explicit = new ExplicitRows(planned.explicit);
    const facts = planned.resolved.flatMap(({ name, address: text }): Fact[] => {
      const address = canonical(text);
      return address === undefined ? [] : [{ name, address, source: isHosts(name) ? "host" : "answer" }];
    });
    // denied names are asked for by nobody, but others may lead to their addresses
    const effectsOf = (name: string) => [...rules.effectsOf(name), ...rules.denialsOf(name)];
    const rows = facts.flatMap((fact) => rowsFor(fact, effectsOf(fact.name), explicit));
    const plan: Plan = { explicit, rules, facts, rows };
    const owners = ownersOf([...explicit.rows, ...rows]);
    const renewed = [...this.#entries.values()].map((entry) => {
      const again = rowsFor(entry.fact, rules.effectsOf(entry.fact.name), explicit);
      const kept = again.filter((row) => !isOwnedByAnother(owners, row));
      addOwners(owners, kept);
      return { entry, rows: kept };
    });
    const all = joinRows([...explicit.rows, ...rows, ...renewed.flatMap((one) => one.rows)]);
    this.#set(all);
    for (const { entry, rows: again } of renewed) entry.rows = again;
    const moved = (this.#plan?.facts ?? []).flatMap((fact) => rowsFor(fact, rules.effectsOf(fact.name), explicit));
    this.#plan = plan;
    this.#ownersKept = undefined;
    const gone = this.#count(all);
    return { gone, kept: [...this.#allowed.values(), ...moved.filter(({ action }) => action === "allow")] };
  }

  /** The names that have this address, as far as this agent was told, or the settings say. */
  namesOf(address: string, agent: number): readonly string[] {
    const learned = [...this.#entries.values()].filter((entry) => entry.agent === agent).map(({ fact }) => fact);
    const facts = [...(this.#plan?.facts ?? []), ...learned];
    return [...new Set(facts.filter((fact) => fact.address === address).map(({ name }) => name))];
  }

  /** What the daemon itself found for a name of the settings. */
  settled(name: string): readonly string[] {
    return (this.#plan?.facts ?? []).filter((fact) => fact.name === name).map(({ address }) => address);
  }

  /** Takes up one address of an answer to `agent`; `inForce` tells when the kernel knows. */
  learn(fact: Fact, agent: number, ttlMs: number): Learning {
    const plan = this.#plan;
    if (plan === undefined) return { kind: "full" };
    const rows = rowsFor(fact, plan.rules.effectsOf(fact.name), plan.explicit);
    if (rows.length === 0 && !isUseful(fact, plan.explicit)) return { kind: "barred" };
    const key = `${fact.name} ${fact.address}`;
    const untilMs = this.#clock.nowMs() + Math.min(Math.max(ttlMs, LEARNED_MIN_MS), LEARNED_MAX_MS) + LEARNED_GRACE_MS;
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.untilMs = Math.max(known.untilMs, untilMs);
      return { kind: "learned" };
    }
    const claims = rows.filter((row) => ownerKey(row) !== undefined);
    if (claims.some((row) => isOwnedByAnother(this.#owners(), row))) return { kind: "shared" };
    const own = this.#perAgent.get(agent) ?? 0;
    const full = this.#entries.size >= LEARNED_MAX || own >= LEARNED_PER_AGENT_MAX;
    if (full || this.#rowCount + rows.length > DESTINATION_ROWS_MAX) return { kind: "full" };
    const entry = { fact, agent, rows, untilMs };
    this.#entries.set(key, entry);
    if (claims.length > 0) addOwners(this.#owners(), claims);
    this.#perAgent.set(agent, own + 1);
    this.#rowCount += rows.length;
    if (rows.length > 0) this.#fresh.push(entry);
    this.#wake();
    return { kind: "learned" };
  }

  /** Resolves when everything learned so far is in the kernel; a burst of answers costs one write. Rejects if it cannot be. */
  inForce(): Promise<void> {
    if (this.#fresh.length === 0) return this.#flush ?? Promise.resolve();
    const restMs = this.#writtenMs + REST_FACTOR * this.#writeTookMs - performance.now();
    const later = (flush: () => void) => (restMs > 0 ? setTimeout(flush, restMs) : setImmediate(flush));
    this.#flush ??= new Promise((resolve, reject) => {
      later(() => {
        this.#flush = undefined;
        const fresh = this.#fresh.splice(0);
        try {
          this.#write();
          resolve();
        } catch (error) {
          for (const entry of fresh) this.#drop(entry);
          reject(error);
        }
      });
    });
    return this.#flush;
  }

  /** Takes out what is over. */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    const over = [...this.#entries.values()].filter(({ untilMs }) => untilMs <= nowMs);
    for (const entry of over) this.#drop(entry);
    if (over.length > 0) this.#write();
    this.#wake();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#entries.clear();
  }

  #write(): void {
    const startedMs = performance.now();
    const { explicit, rows } = this.#plan ?? { explicit: new ExplicitRows([]), rows: [] };
    const all = joinRows([...explicit.rows, ...rows, ...[...this.#entries.values()].flatMap((entry) => entry.rows)]);
    this.#set(all);
    this.#count(all);
    this.#writtenMs = performance.now();
    this.#writeTookMs = this.#writtenMs - startedMs;
  }

  /** Remembers what is in force; the rows that allowed something and are not among it any more. */
  #count(all: readonly Destination[]): readonly Destination[] {
    const allowed = new Map(
      all.flatMap((row): [string, Destination][] =>
        row.action === "allow" ? [[`${row.address}/${row.prefix} ${row.port} ${row.protocol}`, row]] : [],
      ),
    );
    const gone = [...this.#allowed].flatMap(([key, row]) => (allowed.has(key) ? [] : [row]));
    this.#allowed = allowed;
    this.#rowCount = all.length;
    return gone;
  }

  #drop(entry: Entry): void {
    this.#entries.delete(`${entry.fact.name} ${entry.fact.address}`);
    if (entry.rows.some((row) => ownerKey(row) !== undefined)) this.#ownersKept = undefined;
    const left = (this.#perAgent.get(entry.agent) ?? 1) - 1;
    if (left > 0) this.#perAgent.set(entry.agent, left);
    else this.#perAgent.delete(entry.agent);
  }

  #owners(): Map<string, number> {
    const { explicit, rows } = this.#plan ?? { explicit: new ExplicitRows([]), rows: [] };
    const learned = () => [...this.#entries.values()].flatMap((entry) => entry.rows);
    this.#ownersKept ??= ownersOf([...explicit.rows, ...rows, ...learned()]);
    return this.#ownersKept;
  }

  /** One timer, for the next that is over. */
  #wake(): void {
    if (this.#timer !== undefined || this.#entries.size === 0) return;
    const next = Math.min(...[...this.#entries.values()].map(({ untilMs }) => untilMs));
    const waitMs = Math.max(next - this.#clock.nowMs(), SWEEP_MIN_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.sweep();
    }, waitMs);
    this.#timer.unref();
  }
}

/** Which connection the kernel names for a single address and port. */
function ownersOf(rows: readonly Destination[]): Map<string, number> {
  const owners = new Map<string, number>();
  addOwners(owners, rows);
  return owners;
}

function addOwners(owners: Map<string, number>, rows: readonly Destination[]): void {
  for (const row of rows) {
    const key = ownerKey(row);
    if (key !== undefined && !owners.has(key)) owners.set(key, row.connection);
  }
}

function isOwnedByAnother(owners: ReadonlyMap<string, number>, row: Destination): boolean {
  const key = ownerKey(row);
  return key !== undefined && (owners.get(key) ?? row.connection) !== row.connection;
}

function ownerKey({ action, address, prefix, port }: Destination): string | undefined {
  return action === "intercept" && prefix >= 32 ? `${address}/${prefix} ${port}` : undefined;
}
