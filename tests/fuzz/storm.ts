/**
 * A client that prepares, binds, runs, closes, declares, fetches and frees under a few names, so that what a name stands
 * for changes again and again, on both sides of errors and transactions. It mostly uses names that it believes in; what
 * it believes is simple and often wrong.
 */
import { client } from "../kit/wire.ts";
import type { Random } from "./random.ts";
import { DERIVED, DETECTED, HARMLESS } from "./scripts.ts";

const STATEMENTS = ["", "a", "b"];
const PORTALS = ["", "c", "d"];
const CURSORS = ["c", "d"];
const PREPARED = ["a", "b"];
const READS = [HARMLESS, DERIVED, DETECTED, "SELECT 1", "SELECT ssn, card FROM customers ORDER BY id"];
/** Of choices that could be sound, those that are drawn without regard to it. */
const CARELESS = 0.07;

export class Storm {
  readonly #random: Random;
  readonly #statements = new Set<string>();
  readonly #portals = new Set<string>();
  #isInTransaction = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The next messages; they belong together, but nothing says that they arrive so. */
  next(): readonly Buffer[] {
    const random = this.#random;
    const draw = random.below(100);
    if (draw < 20) return [this.#parse(), ...this.#maybe(0.5, client.sync())];
    if (draw < 50) return [...this.#maybeList(0.3, () => this.#parse()), ...this.#bindAndRun(), ...this.#synced(0.7)];
    if (draw < 60) return [this.#run(this.#portal()), ...this.#synced(0.6)];
    if (draw < 64) return [client.describe("P", this.#portal()), ...this.#maybe(0.3, client.sync())];
    if (draw < 67) return [client.describe("S", this.#statement()), ...this.#maybe(0.3, client.sync())];
    if (draw < 72) return [this.#close(), ...this.#maybe(0.5, client.sync())];
    if (draw < 75) return this.#synced(1);
    if (draw < 76) return [client.flush()];
    return [client.query(this.#sql())];
  }

  #parse(): Buffer {
    const random = this.#random;
    const free = STATEMENTS.filter((name) => name === "" || !this.#statements.has(name));
    const name = random.chance(0.25) ? random.pick(STATEMENTS) : random.pick(free);
    this.#statements.add(name);
    return client.parse(name, random.chance(0.7) ? random.pick(READS) : this.#sql());
  }

  #bindAndRun(): readonly Buffer[] {
    const random = this.#random;
    const portal = this.#isInTransaction || random.chance(0.3) ? random.pick(PORTALS) : "";
    const bound = client.bind(portal, this.#statement());
    this.#portals.add(portal);
    return random.chance(0.2) ? [bound] : [bound, this.#run(portal)];
  }

  #run(portal: string): Buffer {
    return client.execute(portal, this.#random.pick([0, 0, 0, 1]));
  }

  #close(): Buffer {
    if (this.#random.chance(0.5)) {
      const name = this.#statement();
      this.#statements.delete(name);
      return client.close("S", name);
    }
    const name = this.#portal();
    this.#portals.delete(name);
    return client.close("P", name);
  }

  #synced(probability: number): readonly Buffer[] {
    if (!this.#random.chance(probability)) return [];
    if (!this.#isInTransaction) this.#portals.clear();
    return [client.sync()];
  }

  #sql(): string {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
      case 1:
        this.#isInTransaction = true;
        return "BEGIN";
      case 2:
        this.#isInTransaction = false;
        this.#portals.clear();
        return random.pick(["COMMIT", "ROLLBACK"]);
      case 3:
      case 4: {
        const name = random.pick(CURSORS);
        this.#portals.add(name);
        return `DECLARE ${name} CURSOR FOR ${random.pick(READS)}`;
      }
      case 5: {
        const name = random.pick([...CURSORS, ...CURSORS, "ALL"]);
        // It forgets that names are shared.
        return `CLOSE ${name}`;
      }
      case 6:
        return `FETCH ALL FROM ${random.pick(CURSORS)}`;
      case 7: {
        const name = random.pick(PREPARED);
        this.#statements.add(name);
        return `PREPARE ${name} AS ${random.pick(READS)}`;
      }
      case 8:
        return `EXECUTE ${random.pick(PREPARED)}`;
      case 9:
        return random.chance(0.2) ? "DISCARD ALL" : `DEALLOCATE ${random.pick([...PREPARED, ...PREPARED, "ALL"])}`;
      default:
        return random.pick(READS);
    }
  }

  #statement(): string {
    return this.#known(this.#statements, STATEMENTS);
  }

  #portal(): string {
    return this.#known(this.#portals, PORTALS);
  }

  #known(believed: ReadonlySet<string>, all: readonly string[]): string {
    const careless = believed.size === 0 || this.#random.chance(CARELESS);
    return this.#random.pick(careless ? all : [...believed]);
  }

  #maybe(probability: number, message: Buffer): readonly Buffer[] {
    return this.#random.chance(probability) ? [message] : [];
  }

  #maybeList(probability: number, make: () => Buffer): readonly Buffer[] {
    return this.#random.chance(probability) ? [make()] : [];
  }
}
