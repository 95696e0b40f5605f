/**
 * From the addresses of names to rows for the kernel, so that what the settings say by address keeps its word: the
 * kernel lets the longest prefix win, and a single learned address is longer than any network that is denied.
 */
import type { Destination } from "ebpf-loader";
import { widthOf } from "../kernel/destinations.ts";
import { covers, type Ip, ipOf, isNeverLearned } from "./ip.ts";
import type { Effect } from "./rules.ts";

/** What one name says of one address. */
export interface Fact {
  readonly name: string;
  /** In its canonical spelling. */
  readonly address: string;
  /** "host": from this host's own files, which may name loopback. "answer": from outside. */
  readonly source: "host" | "answer";
}

interface Placed {
  readonly row: Destination;
  readonly network: Ip;
}

/** Rows of the settings by address, ready to be asked. */
export class ExplicitRows {
  readonly rows: readonly Destination[];
  readonly #placed: readonly Placed[];

  constructor(rows: readonly Destination[]) {
    this.rows = rows;
    this.#placed = rows.flatMap((row) => {
      const network = ipOf(row.address);
      return network === undefined ? [] : [{ row, network }];
    });
  }

  /** Those that speak of this address, the narrowest first. */
  over(address: Ip): readonly Destination[] {
    return this.#placed
      .filter(({ row, network }) => covers(network, row.prefix, address))
      .map(({ row }) => row)
      .sort((a, b) => b.prefix - a.prefix || rank(b) - rank(a));
  }
}

/** Rows for one address of one name. An address that no answer may bring gets none, unless the settings list it. */
export function rowsFor(fact: Fact, effects: readonly Effect[], explicit: ExplicitRows): readonly Destination[] {
  const ip = ipOf(fact.address);
  if (ip === undefined) return [];
  const over = explicit.over(ip);
  const barred = fact.source === "answer" && isNeverLearned(fact.address);
  const rows: Destination[] = [];
  for (const effect of effects) {
    const row = { ...effect, address: fact.address, prefix: widthOf(fact.address) };
    if (effect.action !== "allow") {
      if (effect.action === "intercept" || !isConnection(decisive(over, effect))) rows.push(row);
      continue;
    }
    if (barred || closes(decisive(over, effect))) continue;
    rows.push(row);
    if (effect.port !== 0) continue;
    // "every port" of this address would hide what the settings say of single ports of its network
    const ports = new Set(
      over.filter(({ protocol, port }) => protocol === effect.protocol && port !== 0).map(({ port }) => port),
    );
    for (const port of ports) {
      const kept = decisive(over, { ...effect, port });
      if (kept !== undefined && closes(kept)) rows.push({ ...kept, port, address: row.address, prefix: row.prefix });
    }
  }
  return rows;
}

/** Whether an agent that has this address can do anything with it that a rule for the name meant. */
export function isUseful(fact: Fact, explicit: ExplicitRows): boolean {
  if (fact.source === "host" || !isNeverLearned(fact.address)) return true;
  const ip = ipOf(fact.address);
  return ip !== undefined && explicit.over(ip).some(({ action, prefix }) => action !== "deny" && prefix > 0);
}

/** One row for each key of the kernel's table: of several, the one that the kernel would rather have. */
export function joinRows(rows: Iterable<Destination>): Destination[] {
  const byKey = new Map<string, Destination>();
  for (const row of rows) {
    const key = `${row.address}/${row.prefix} ${row.port} ${row.protocol}`;
    const other = byKey.get(key);
    if (other === undefined || rank(row) > rank(other)) byKey.set(key, row);
  }
  return [...byKey.values()];
}

/** The row that the kernel would go by. Source: choose() in bpf/redirect.h. */
function decisive(
  over: readonly Destination[],
  { port, protocol }: Pick<Effect, "port" | "protocol">,
): Destination | undefined {
  return over.find((row) => row.protocol === protocol && (row.port === port || row.port === 0));
}

/** Of a network that the settings name: counts for more than a name that is denied. */
function isConnection(row: Destination | undefined): boolean {
  return row?.action === "intercept" && row.prefix > 0;
}

/** "Every address" names none: a rule for a name says more. */
function closes(row: Destination | undefined): boolean {
  return row !== undefined && row.action !== "allow" && row.prefix > 0;
}

function rank({ action, port }: Destination): number {
  if (action === "intercept") return port === 0 ? 1 : 3;
  return action === "deny" ? 2 : 0;
}
