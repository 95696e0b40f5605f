/** What the guard suite is made of: attacks that must not get past a policy, harmless statements that must, and limits. Shapes only. */

export type PolicyName = "no-ddl" | "no-whole-table" | "only-select" | "no-server";

/** What tells that an attack did its harm. Absent: a hash of all rows and all that is defined in the attack's database. */
export type Harm =
  /** This text is among the bytes that the server's side sends. */
  | { readonly arrives: string }
  /** Asked of the database by somebody else, before and after: the answers differ. */
  | { readonly outside: string }
  /** A file of this name in the sink. */
  | { readonly file: string }
  /** Another session ends: the one whose application_name is put in for `{victim}`. */
  | { readonly victim: true };

/**
 * One try. `{sink}` stands for a folder of its own that the server may write and that holds `secret.txt` with `TOKEN`,
 * `{victim}` for a session of its own, `{database}` for its database, `{id}` for a number of its own.
 */
export interface Attack {
  readonly name: string;
  readonly means: Means;
  readonly harm?: Harm;
  /** The first server version that has what the attack needs. */
  readonly since?: number;
  /** Of the database; UTF8 when absent. */
  readonly encoding?: "SQL_ASCII";
}

export type Means =
  /** One text. It is sent whole in one Query, and again statement by statement by the extended protocol. */
  | { readonly kind: "text"; readonly sql: string }
  /** One text with parameters, which only the extended protocol has. */
  | { readonly kind: "bound"; readonly sql: string; readonly values: readonly (string | null)[] }
  /** Spoken by hand: each entry is answered with ReadyForQuery before the next is sent. */
  | {
      readonly kind: "spoken";
      readonly told: string;
      readonly say: readonly Said[];
      /** Further ones of the startup message. */
      readonly parameters?: Readonly<Record<string, string>>;
    };

/** A Query by its text, whole messages as bytes, or a function by the fast path. */
export type Said = string | Uint8Array | { readonly call: string };

export interface AttackGroup {
  readonly title: string;
  readonly policy: PolicyName;
  /** What these attacks have in common. */
  readonly about: string;
  readonly attacks: readonly Attack[];
}

export interface Harmless {
  readonly name: string;
  readonly means: Means | { readonly kind: "psql"; readonly command: string };
  /** `rows`: its answer is another one each time, so that only its form is compared; `columns`: its columns' OIDs are. */
  readonly volatile?: "rows" | "columns";
  readonly since?: number;
  /** The last server version that it works with. */
  readonly until?: number;
}

export interface HarmlessGroup {
  readonly title: string;
  readonly policy: PolicyName;
  readonly statements: readonly Harmless[];
}

/** An attack that does get past, with what helps. */
export interface Limit extends Attack {
  readonly policy: PolicyName;
  readonly why: string;
  readonly remedy: string;
}

/** An attack by one text. */
export function text(name: string, sql: string, harm?: Harm, since?: number): Attack {
  return { name, means: { kind: "text", sql }, ...(harm && { harm }), ...(since !== undefined && { since }) };
}

export function bound(name: string, sql: string, values: readonly (string | null)[], harm?: Harm): Attack {
  return { name, means: { kind: "bound", sql, values }, ...(harm && { harm }) };
}

export function spoken(name: string, told: string, say: readonly Said[], harm?: Harm): Attack {
  return { name, means: { kind: "spoken", told, say }, ...(harm && { harm }) };
}

/** Texts in a session with startup parameters of its own. */
export function started(
  name: string,
  parameters: Readonly<Record<string, string>>,
  say: readonly Said[],
  harm?: Harm,
): Attack {
  const told = Object.entries(parameters)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
  return { name, means: { kind: "spoken", told, say, parameters }, ...(harm && { harm }) };
}

/** A statement by its text. */
export function harmless(name: string, sql: string, isVolatile?: Harmless["volatile"]): Harmless {
  return { name, means: { kind: "text", sql }, ...(isVolatile && { volatile: isVolatile }) };
}

/** The name is the statement. */
export function statement(sql: string, isVolatile?: Harmless["volatile"]): Harmless {
  return harmless(sql, sql, isVolatile);
}

/** The name is the statement, which is taken back, so that the next finds the same rows and schema. */
export function undone(sql: string, isVolatile?: Harmless["volatile"]): Harmless {
  return harmless(sql, `BEGIN; ${sql}; ROLLBACK`, isVolatile);
}

export function psql(command: string): Harmless {
  return { name: command, means: { kind: "psql", command } };
}
