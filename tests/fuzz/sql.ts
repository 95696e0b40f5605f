/**
 * The little SQL that changes what a session's names stand for: prepared statements, cursors, transactions. The model of
 * the server runs it for real, since names that mean one thing to the guard and another to the server are the way round
 * every verdict.
 */
import { server } from "../kit/wire.ts";

export type Status = "I" | "T" | "E";

export interface Portal {
  readonly text: string;
  readonly formats: string;
  /** Name of the statement that it was bound to; "": none, or the unnamed one. */
  readonly statement: string;
  /** What is left of its rows, once it was run. */
  left: readonly Buffer[] | undefined;
}

/** What of the server's state SQL can change. */
export interface Names {
  readonly statements: Map<string, string>;
  readonly portals: Map<string, Portal>;
  status: Status;
}

/** `rowsOf`: the text whose rows these are; without, the frames are all. */
export type Ran = { readonly frames: readonly Buffer[] } | { readonly rowsOf: string; readonly tag: string };

const error = (code: string, message: string): Ran => ({
  frames: [server.error({ S: "ERROR", V: "ERROR", C: code, M: message })],
});
const done = (tag: string): Ran => ({ frames: [server.complete(tag)] });

interface Rule {
  readonly form: RegExp;
  readonly run: (names: Names, words: readonly string[]) => Ran;
}

const RULES: readonly Rule[] = [
  {
    form: /^begin$/i,
    run: (names) => {
      if (names.status === "I") names.status = "T";
      return done("BEGIN");
    },
  },
  {
    form: /^commit$/i,
    run: (names) => {
      const isFailed = names.status === "E";
      names.status = "I";
      names.portals.clear();
      return done(isFailed ? "ROLLBACK" : "COMMIT");
    },
  },
  {
    form: /^rollback$/i,
    run: (names) => {
      names.status = "I";
      names.portals.clear();
      return done("ROLLBACK");
    },
  },
  {
    form: /^prepare (\w+) as (.+)$/is,
    run: ({ statements }, [, name = "", text = ""]) => {
      if (statements.has(name)) return error("42P05", "that is prepared already");
      statements.set(name, text);
      return done("PREPARE");
    },
  },
  {
    form: /^execute (\w+)$/i,
    run: ({ statements }, [, name = ""]) => {
      const text = statements.get(name);
      return text === undefined ? error("26000", "that is not prepared") : { rowsOf: text, tag: "SELECT" };
    },
  },
  {
    form: /^deallocate (\w+)$/i,
    run: ({ statements }, [, name = ""]) => {
      if (/^all$/i.test(name)) {
        statements.clear();
        return done("DEALLOCATE ALL");
      }
      return statements.delete(name) ? done("DEALLOCATE") : error("26000", "that is not prepared");
    },
  },
  {
    form: /^discard all$/i,
    run: (names) => {
      if (names.status !== "I") return error("25001", "not in a transaction");
      names.statements.clear();
      names.portals.clear();
      return done("DISCARD ALL");
    },
  },
  {
    form: /^declare (\w+) cursor for (.+)$/is,
    run: ({ portals, status }, [, name = "", text = ""]) => {
      if (status === "I") return error("25P01", "only in a transaction");
      if (portals.has(name)) return error("42P03", "there is such a cursor");
      portals.set(name, { text, formats: "", statement: "", left: undefined });
      return done("DECLARE CURSOR");
    },
  },
  {
    form: /^close (\w+)$/i,
    run: ({ portals }, [, name = ""]) => {
      if (/^all$/i.test(name)) {
        portals.clear();
        return done("CLOSE CURSOR ALL");
      }
      return portals.delete(name) ? done("CLOSE CURSOR") : error("34000", "there is no such cursor");
    },
  },
  {
    form: /^fetch (?:all|\d+) from (\w+)$/i,
    run: ({ portals }, [, name = ""]) => {
      const portal = portals.get(name);
      return portal === undefined ? error("34000", "there is no such cursor") : { rowsOf: portal.text, tag: "FETCH" };
    },
  },
];

const IN_FAILED: Ran = error("25P02", "current transaction is aborted");

/** Undefined: the text is none of these. */
export function runNaming(text: string, names: Names): Ran | undefined {
  const plain = text.trim();
  for (const { form, run } of RULES) {
    const words = form.exec(plain);
    if (words === null) continue;
    return names.status === "E" && !/^(?:commit|rollback)$/i.test(plain) ? IN_FAILED : run(names, words);
  }
  return undefined;
}

export function isNamingText(text: string): boolean {
  return RULES.some(({ form }) => form.test(text.trim()));
}

/** The text whose rows a FETCH or EXECUTE will give, as far as it can be said now; undefined: there is none. */
export function rowsOf(text: string, { statements, portals }: Names): string | undefined {
  const [, cursor] = /^fetch (?:all|\d+) from (\w+)$/i.exec(text.trim()) ?? [];
  const [, statement] = /^execute (\w+)$/i.exec(text.trim()) ?? [];
  if (cursor !== undefined) return portals.get(cursor)?.text;
  return statement === undefined ? text : statements.get(statement);
}
