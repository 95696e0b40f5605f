/** Clean tables that lose, gain and rename columns, or stand behind temporary ones, before a statement. */
import type { Random } from "./random.ts";

export type Kind = "text" | "number" | "row" | "one" | "three";

export interface Column {
  /** As the server has it. */
  readonly name: string;
  readonly kind: Kind;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
}

export const POOL = [
  ...["id", "name", "note", "ssn", "card", "x", "y", "w", "pair", "customers", "orders", "stash", "vault"],
  ...["ctid", "xmin", "tableoid", "lower", "upper", "coalesce", "to_jsonb", "concat", "column1", "value"],
] as const;
/** What the server calls an expression without an alias. */
export const COMPOSITES = { one: ["z"], three: ["z", "ssn", "x"] } as const;

export const table = (name: string, words: string): Table => ({
  name,
  columns: words.split(" ").map((word) => {
    const [own = "", kind = "text"] = word.split(":");
    return { name: own, kind: kind as Kind };
  }),
});

const ORDERS = table("orders", "id:number customer:number amount:number note");
const STASH = table("stash", "id:number x y");
/** Of an alias list: fewer than there are. */
const NAMES_MAX = 8;
export const SYSTEM = new Set(["ctid", "xmin", "tableoid"]);

export class CleanTables {
  readonly #random: Random;
  /** As they are after what came before the statement. */
  readonly clean = new Map<string, Table>([
    ["orders", ORDERS],
    ["stash", STASH],
  ]);
  readonly types = new Set<string>();
  /** Few rows: they are joined without conditions. */
  readonly before: string[] = ["DELETE FROM orders WHERE id > 1", "DELETE FROM stash WHERE id > 1"];

  constructor(random: Random) {
    this.#random = random;
  }

  name(taken: readonly string[] = []): string {
    for (;;) {
      const name = this.#random.pick(POOL);
      if (!taken.includes(name)) return name;
    }
  }

  names(count: number): readonly string[] {
    const names: string[] = [];
    while (names.length < Math.min(count, NAMES_MAX)) names.push(this.name(names));
    return names;
  }

  /** What happens to clean tables before. */
  change(): void {
    const random = this.#random;
    for (let left = 1 + random.int(3); left > 0; left--) {
      random.weighed<() => void>([
        [3, () => this.#rename()],
        [3, () => this.#drop()],
        [3, () => this.#add()],
        [3, () => this.#temporary()],
        [2, () => this.#domain(this.name(["name"]))],
        [1, () => this.#move()],
      ])();
    }
  }

  pick(): readonly [string, Table] {
    return this.#random.pick([...this.clean].filter(([, { columns }]) => columns.length > 0));
  }

  #rename(): void {
    const [key, { name, columns }] = this.pick();
    const old = this.#random.pick(columns);
    const fresh = this.name([...columns.map((column) => column.name), ...SYSTEM]);
    this.before.push(`ALTER TABLE ${name} RENAME ${old.name} TO ${fresh}`);
    this.clean.set(key, { name, columns: columns.map((one) => (one === old ? { ...one, name: fresh } : one)) });
  }

  #drop(): void {
    const [key, { name, columns }] = this.pick();
    if (columns.length < 2) return;
    const old = this.#random.pick(columns);
    this.before.push(`ALTER TABLE ${name} DROP ${old.name}`);
    this.clean.set(key, { name, columns: columns.filter((one) => one !== old) });
  }

  #add(): void {
    const [key, { name, columns }] = this.pick();
    const fresh = this.name([...columns.map((column) => column.name), ...SYSTEM]);
    const kind = this.#random.pick(["text", "one", "three"] as const);
    if (kind !== "text") this.#composite(kind);
    const value = kind === "text" ? "''" : kind === "one" ? "ROW('')::one" : "ROW('', '', '')::three";
    const type = kind === "text" ? "text" : kind;
    this.before.push(`ALTER TABLE ${name} ADD ${fresh} ${type}`, `UPDATE ${name} SET ${fresh} = ${value}`);
    this.clean.set(key, { name, columns: [...columns, { name: fresh, kind }] });
  }

  #composite(kind: "one" | "three"): void {
    if (this.types.has(kind)) return;
    this.types.add(kind);
    this.before.push(`CREATE TYPE ${kind} AS (${COMPOSITES[kind].map((field) => `${field} text`).join(", ")})`);
  }

  #domain(name: string): void {
    if (this.types.has(name) || ["customers", "orders", "stash", "vault"].includes(name)) return;
    if (this.clean.has(name) || name === "coalesce") return;
    this.types.add(name);
    this.before.push(`CREATE DOMAIN ${name} AS text`);
  }

  /** In the place of another, or with a new name. */
  #temporary(): void {
    const random = this.#random;
    const name = random.pick(["orders", "stash", "customers", "vault", "tickets", "w", "pair", "u"]);
    if (this.types.has(name) || this.clean.get(name)?.name.startsWith("pg_temp.") === true) return;
    const columns = this.names(1 + random.int(4))
      .filter((own) => !SYSTEM.has(own))
      .map((own): Column => ({ name: own, kind: "text" }));
    if (columns.length === 0) return;
    this.before.push(
      `CREATE TEMP TABLE ${name} (${columns.map((one) => `${one.name} text`).join(", ")})`,
      `INSERT INTO pg_temp.${name} VALUES (${columns.map(() => "''").join(", ")})`,
    );
    this.clean.set(name, { name: random.chance(0.7) ? name : `pg_temp.${name}`, columns });
    this.types.add(name);
  }

  /** Of a table that nothing stands in front of. */
  #move(): void {
    const old = this.#random.pick(["stash", "orders"] as const);
    const fresh = this.#random.pick(["w", "pair", "x", "note", "made"]);
    const moved = this.clean.get(old);
    if (moved?.name !== old || this.types.has(old) || this.types.has(fresh) || this.clean.has(fresh)) return;
    this.before.push(`ALTER TABLE ${old} RENAME TO ${fresh}`);
    this.types.add(fresh);
    this.clean.delete(old);
    this.clean.set(fresh, { ...moved, name: fresh });
  }
}
