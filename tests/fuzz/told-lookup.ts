/** A lookup machine that is told what a server says. */
import { ProtocolError } from "../../src/base/errors.ts";
import { isCatalogFacts } from "../../src/protocols/postgres/catalog.ts";
import { CatalogLookup } from "../../src/protocols/postgres/lookup.ts";
import { readCorpus } from "./corpus.ts";
import { FuzzFault } from "./fault.ts";
import type { Told } from "./machines.ts";
import { LOOKUP_QUESTION } from "./scripts.ts";

/** The recorded answer with its first rows of every kind: the whole has hundreds. */
export function lookupAnswer(): readonly Buffer[] {
  const seen = new Map<string, number>();
  return readCorpus("lookup")
    .flatMap(({ messages }) => messages.filter(({ from }) => from === "server"))
    .map(({ bytes }) => bytes)
    .filter((bytes) => {
      const kind = bytes[0] === 0x44 ? bytes.toString("latin1", 11, 16) : "";
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      return kind === "" || (seen.get(kind) ?? 0) <= 4;
    });
}

export class ToldLookup implements Told {
  readonly #lookup = new CatalogLookup(LOOKUP_QUESTION);
  isOver = false;
  /** Facts were found. */
  isDone = false;

  tell(bytes: Buffer): void {
    if (this.isOver) return;
    try {
      const facts = this.#lookup.receive(Buffer.from(bytes));
      if (facts === undefined) return;
      if (!isCatalogFacts(facts)) throw new FuzzFault("exception", "The lookup gave what are no catalog facts");
      this.isDone = true;
    } catch (error) {
      if (error instanceof FuzzFault) throw error;
      if (!(error instanceof ProtocolError)) {
        const name = error instanceof Error ? error.name : typeof error;
        throw new FuzzFault("exception", `The lookup threw what is no ProtocolError, but a ${name}`, { cause: error });
      }
    }
    this.isOver = true;
  }
}
