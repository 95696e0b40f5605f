/**
 * What an attack is: statements or protocol messages that bring a value of a labelled column to the client when nothing
 * guards the server. Data only; speaker.ts speaks it, trial.ts judges what came.
 */

/** One message of a client. Those of one step leave in one write. */
export type Message =
  | readonly ["query", sql: string]
  | readonly ["parse", name: string, sql: string]
  | readonly ["bind", portal: string, statement: string, binary?: boolean, values?: readonly string[]]
  | readonly ["describe", what: "S" | "P", name: string]
  /** 0: all rows. */
  | readonly ["execute", portal: string, rows: number]
  | readonly ["close", what: "S" | "P", name: string]
  | readonly ["flush"]
  | readonly ["sync"]
  | readonly ["copyData", data: string]
  | readonly ["copyDone"]
  /** The fast path: a function by OID, arguments as text. */
  | readonly ["call", oid: number, ...values: string[]];

export interface Step {
  readonly messages: readonly Message[];
  /** Connections that differ in this are different ones; "" is the first. */
  readonly connection?: string;
}

/** How statements in a text are spoken. */
export const FORMS = ["simple", "text", "binary"] as const;
export type Form = (typeof FORMS)[number];

export interface Attack {
  readonly name: string;
  /** Statements, spoken in every form. Words like @database@ stand for what trial.ts fills in. */
  readonly sql?: string;
  /** Instead: what is said in so many words. */
  readonly steps?: readonly Step[];
  /** Instead: a command; its output is what arrives. */
  readonly command?: readonly string[];
  /** What the command reads. */
  readonly input?: string;
  /** Needed with `steps` and `command` for the table. */
  readonly shown?: string;
  /** Made by somebody else beforehand, as the owner; the attack then runs in a database of its own. */
  readonly before?: string;
  /** Said by somebody else who stays connected meanwhile. */
  readonly neighbour?: string;
  /** What that one does then, one after the other, while the attack goes on. */
  readonly meanwhile?: readonly string[];
  /** Leaves something behind: it needs a database of its own. */
  readonly changes?: true;
  /** Where not all forms can carry it: VACUUM and the like stand alone, a cursor's life is one Query. */
  readonly forms?: readonly Form[];
  /** Startup parameters besides user and database. */
  readonly startup?: Readonly<Record<string, string>>;
  /** Needs a server of at least this version; 15 when absent. */
  readonly since?: 18;
  /** Answers are not equal twice (durations): the two sets of values are not compared. */
  readonly restless?: true;
}

export interface Group {
  readonly title: string;
  readonly attacks: readonly Attack[];
}

/** Rows from [name, sql] pairs. */
export function rows(pairs: readonly (readonly [name: string, sql: string])[], common: Partial<Attack> = {}): Attack[] {
  return pairs.map(([name, sql]) => ({ ...common, name, sql }));
}

/** An attack that changes something but takes it back at the end. */
export function undone(sql: string): string {
  return `BEGIN; ${sql}; ROLLBACK`;
}

/** One step, one write. */
export function step(...messages: readonly Message[]): Step {
  return { messages };
}

export function query(sql: string, connection = ""): Step {
  return { messages: [["query", sql]], connection };
}
