/**
 * Answers the name queries of agents. Order: who asks, may it ask for this name, what this host knows, then one fresh
 * question upstream; the kernel learns the addresses before the agent does. A name that no rule lets an agent have is
 * never sent anywhere. Owns no socket.
 */
import type { Origin } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { AuditEvent } from "../model/event.ts";
import { Buckets, Told, Waiting } from "./budgets.ts";
import type { AnswerCache } from "./cache.ts";
import type { HostFiles } from "./host-files.ts";
import { addressOfReverse, canonical, ipOf } from "./ip.ts";
import { isKnownResolver } from "./known-resolvers.ts";
import {
  type Answered,
  type NameRecord,
  type Query,
  RCODES,
  type Reason,
  readQuery,
  TYPES,
  type TypeName,
  typeName,
  writeAnswer,
  writeRefusal,
} from "./message.ts";
import type { NameRules } from "./rules.ts";
import type { DestinationTable } from "./table.ts";

export interface ResolverParts {
  readonly clock: Clock;
  readonly cache: AnswerCache;
  readonly table: DestinationTable;
  readonly hosts: HostFiles;
  readonly rules: () => NameRules;
  /** Undefined: no agent of ours. */
  readonly agentOf: (slot: number) => { readonly name: string } | undefined;
  /** Nothing is refused to an observed agent; what would have been is told as such. */
  readonly isObserved: (slot: number) => boolean;
  /** Sockets that were open before it go on to the listener: nothing of theirs is answered. */
  readonly isQuarantined: (slot: number) => boolean;
  readonly emit: (event: AuditEvent) => void;
}

/** Plain numbers since the start. */
export interface NameCounters {
  readonly queries: number;
  readonly refused: number;
  readonly upstream: number;
  readonly failed: number;
  readonly limited: number;
}

/** What a datagram may hold is the client's to say; a stream holds any answer. */
export type Transport = { readonly kind: "datagram" } | { readonly kind: "stream"; readonly bytesMax: number };

interface Asker {
  readonly query: Query;
  readonly origin: Origin;
  readonly agent: string;
}

/** Of what this host says by itself; short, since its files change without notice. */
const LOCAL_TTL_S = 10;
const QUARANTINED = "the agent is quarantined";

export class Resolver {
  readonly #parts: ResolverParts;
  readonly #buckets: Buckets;
  readonly #waiting = new Waiting();
  readonly #told: Told;
  readonly #counts = { queries: 0, refused: 0, upstream: 0, failed: 0, limited: 0 };

  constructor(parts: ResolverParts) {
    this.#parts = parts;
    this.#buckets = new Buckets(parts.clock);
    this.#told = new Told(parts.clock);
  }

  get counters(): NameCounters {
    return { ...this.#counts };
  }

  /** Undefined: nothing that anybody waits for. Never rejects. */
  async answer(message: Uint8Array, origin: Origin, transport: Transport): Promise<Buffer | undefined> {
    this.#counts.queries += 1;
    const read = readQuery(message);
    if (read.kind === "garbage") return undefined;
    if (read.kind === "broken") return read.reply;
    const { query } = read;
    const agent = this.#parts.agentOf(origin.agent);
    if (agent === undefined) return writeRefusal(query, RCODES.refused, undefined);
    try {
      return await this.#judge({ query, origin, agent: agent.name }, transport);
    } catch (error) {
      return this.#fail({ query, origin, agent: agent.name }, messageOf(error));
    }
  }

  async #judge(asker: Asker, transport: Transport): Promise<Buffer> {
    const { query, origin } = asker;
    const { rules, isObserved, isQuarantined } = this.#parts;
    if (isQuarantined(origin.agent)) {
      this.#tellRefused(asker, QUARANTINED);
      return this.#refuse(query, QUARANTINED);
    }
    const bytesMax = transport.kind === "stream" ? transport.bytesMax : query.datagramBytes;
    const local = this.#local(query, origin.agent);
    if (local !== undefined) return writeAnswer(query, local, bytesMax);
    const refusal = refusalOf(query, rules());
    if (refusal !== undefined) {
      const observed = isObserved(origin.agent);
      const verb = observed ? "was let through, but would have been refused" : "was refused";
      this.#tellRefused(asker, `${verb}: ${refusal}`);
      if (!observed) return this.#refuse(query, refusal);
    }
    const type = typeName(query.type);
    if (type === undefined) {
      this.#tellRefused(asker, "was refused: this type of record is given to nobody");
      this.#counts.refused += 1;
      return writeRefusal(query, RCODES.notImplemented, { code: 15, text: "record type" });
    }
    const answered = this.#ofHosts(query, type) ?? (await this.#ofServers(asker));
    if (typeof answered === "string") return this.#fail(asker, answered);
    const kept = await this.#learn(asker, answered, refusal === undefined ? "ruled" : "observed");
    return kept === undefined ? this.#fail(asker, "its addresses may not be used") : writeAnswer(query, kept, bytesMax);
  }

  /** What never leaves this host, whatever the rules: its own names, and reverse names. */
  #local({ name, type }: Query, agent: number): Answered | undefined {
    const { hosts, table } = this.#parts;
    const isLoopback = name === "localhost" || name.endsWith(".localhost");
    if (isLoopback || hosts.isOwn(name)) return addressRecords(name, type, ["127.0.0.1", "::1"]);
    if (!name.endsWith(".arpa")) return undefined;
    const address = addressOfReverse(name);
    if (address === undefined) return { rcode: RCODES.noSuchName, records: [] };
    const names = /^127\.|^::1$/.test(address) ? ["localhost"] : table.namesOf(address, agent);
    if (names.length === 0) return { rcode: RCODES.noSuchName, records: [] };
    if (type !== TYPES.PTR) return { rcode: RCODES.ok, records: [] };
    const records = names.map((data): NameRecord => ({ name, type: "PTR", ttl: LOCAL_TTL_S, class: "IN", data }));
    return { rcode: RCODES.ok, records };
  }

  /** A name in /etc/hosts is what that says, in both families: as it is for every other program of this host. */
  #ofHosts({ name, type: number }: Query, type: TypeName): Answered | undefined {
    if (type !== "A" && type !== "AAAA") return undefined;
    const addresses = this.#parts.hosts.addressesOf(name);
    return addresses.length === 0 ? undefined : addressRecords(name, number, addresses);
  }

  /** A text says why there is none. */
  async #ofServers(asker: Asker): Promise<Answered | string> {
    const { name, type } = asker.query;
    const { origin } = asker;
    const { cache, table } = this.#parts;
    const kept = cache.kept(name, type);
    if (kept !== undefined) return kept;
    if (!this.#buckets.take(origin.agent) || !this.#waiting.enter(origin.agent)) {
      this.#counts.limited += 1;
      this.#tell(asker, "names.limited", `${asker.agent} asks for more names than it may, the last was ${name}`);
      return "too many names are asked for";
    }
    this.#counts.upstream += 1;
    let trouble = "";
    try {
      const answered = await cache.ask(name, type);
      if (answered.rcode === RCODES.ok || table.settled(name).length === 0) return answered;
    } catch (error) {
      trouble = messageOf(error);
    } finally {
      this.#waiting.leave(origin.agent);
    }
    // the host may know a name of the settings by other means than nameservers: what holds for the daemon holds here
    const settled = table.settled(name);
    return settled.length === 0 ? trouble : addressRecords(name, type, settled);
  }

  /** The answer without what may not be told; undefined when that is all of it. */
  async #learn(asker: Asker, answered: Answered, as: "ruled" | "observed"): Promise<Answered | undefined> {
    const { table, hosts } = this.#parts;
    if (as === "observed") return answered;
    const { query, origin } = asker;
    const source = hosts.addressesOf(query.name).length > 0 ? "host" : "answer";
    let dropped = 0;
    const records = answered.records.filter((record) => {
      if (record.type !== "A" && record.type !== "AAAA") return true;
      const address = canonical(record.data);
      if (address === undefined) return false;
      const learning = table.learn({ name: query.name, address, source }, origin.agent, record.ttl * 1_000);
      if (learning.kind === "learned") return true;
      dropped += 1;
      this.#tell(
        asker,
        `names.${learning.kind}`,
        `${query.name} is said to be ${address}, which ${WORDS[learning.kind]}`,
      );
      return false;
    });
    await table.inForce();
    return dropped > 0 && !records.some(isAddress) ? undefined : { rcode: answered.rcode, records };
  }

  #refuse(query: Query, text: string): Buffer {
    this.#counts.refused += 1;
    // "no such name" and not "refused": musl waits for another answer to the latter, and Go tries again
    return writeRefusal(query, RCODES.noSuchName, { code: 15, text });
  }

  #fail(asker: Asker, trouble: string): Buffer {
    this.#counts.failed += 1;
    this.#tell(asker, "names.failed", `${asker.query.name} could not be resolved: ${trouble}`);
    const reason: Reason = { code: 22, text: trouble };
    return writeRefusal(asker.query, RCODES.failed, reason);
  }

  #tellRefused(asker: Asker, what: string): void {
    const type = typeName(asker.query.type) ?? `TYPE${asker.query.type}`;
    this.#tell(asker, "names.refused", `${asker.query.name} ${what}`, { type });
  }

  #tell({ query, origin, agent }: Asker, kind: string, message: string, more: { readonly type?: string } = {}): void {
    const told = this.#told.judge(origin.agent, kind === "names.limited" ? kind : `${kind} ${query.name}`);
    if (told === "silent") return;
    if (told === "last") {
      const text = `${agent} asks for more names than are told one by one; \`sallyport status\` counts all`;
      this.#parts.emit({ atMs: this.#parts.clock.nowMs(), kind: "names.untold", agent, message: text });
      return;
    }
    const observed = this.#parts.isObserved(origin.agent) ? { observed: true } : {};
    const { pid, uid, comm } = origin;
    const fields = { name: query.name, ...more, pid, uid, comm, ...observed };
    this.#parts.emit({ atMs: this.#parts.clock.nowMs(), kind, agent, message, fields });
  }
}

const WORDS = {
  barred: "no answer from outside may bring",
  shared: "is another connection's as well",
  full: "finds no room in the kernel's table",
} as const;

/** Why a name is not given; undefined where it is. */
function refusalOf({ name }: Query, rules: NameRules): string | undefined {
  if (rules.effectsOf(name).length === 0) return "no connection and no egress rule names it";
  if (isKnownResolver(name) && !rules.isExact(name)) return "it is a resolver of its own; a rule must spell it out";
  return undefined;
}

function addressRecords(name: string, type: number, addresses: readonly string[]): Answered {
  const family = type === TYPES.A ? 4 : type === TYPES.AAAA ? 6 : 0;
  const records = addresses
    .filter((address) => ipOf(address)?.family === family)
    .map((data): NameRecord => {
      return { name, type: family === 4 ? "A" : "AAAA", ttl: LOCAL_TTL_S, class: "IN", data };
    });
  return { rcode: RCODES.ok, records };
}

function isAddress({ type }: NameRecord): boolean {
  return type === "A" || type === "AAAA";
}
