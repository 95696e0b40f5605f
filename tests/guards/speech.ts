/** Attacks and statements as the messages that are sent, and what came back as plain answers. No sockets. */
import { client } from "../kit/wire.ts";
import { statementsOf } from "../system/world.ts";
import type { Means, Said } from "./attack.ts";
import type { SpeakerReport, SpeakerRow } from "./speaker.ts";

/** `simple`: as few Queries as the means has; `extended`: each statement by Parse, Bind and Execute; `apart`: each in a Query. */
export type Form = "simple" | "extended" | "apart";

export interface Spoken {
  readonly name: string;
  readonly user: string;
  readonly database: string;
  readonly means: Means;
  readonly form: Form;
  /** What stands for `{word}` in texts, by word. */
  readonly words: Readonly<Record<string, string>>;
  /** OID of a function of the database. */
  readonly functionOid: (signature: string) => number;
}

/** The forms in which a means can be sent. */
export function formsOf({ kind }: Pick<Means, "kind">): readonly Form[] {
  return kind === "text" ? ["simple", "extended"] : kind === "bound" ? ["extended"] : ["simple"];
}

export async function rowOf(spoken: Spoken): Promise<SpeakerRow> {
  const { name, user, database, means, words } = spoken;
  const parameters = means.kind === "spoken" ? means.parameters : undefined;
  const startup = Object.fromEntries(
    Object.entries({ user, database, client_encoding: "UTF8", ...parameters }).map(([key, value]) => [
      key,
      filled(value, words),
    ]),
  );
  const exchanges = await exchangesOf(spoken);
  return { name, startup, exchanges: exchanges.map((bytes) => Buffer.from(bytes).toString("base64")) };
}

async function exchangesOf({ means, form, words, functionOid }: Spoken): Promise<readonly Uint8Array[]> {
  switch (means.kind) {
    case "text": {
      const sql = filled(means.sql, words);
      if (form === "simple") return [client.query(sql)];
      const statements = sql === "" ? [] : await statementsOf(sql);
      if (statements.length === 0) return [form === "apart" ? client.query(sql) : extended(sql, [])];
      return statements.map((statement) => (form === "apart" ? client.query(statement) : extended(statement, [])));
    }
    case "bound":
      return [extended(filled(means.sql, words), means.values)];
    case "spoken":
      return means.say.map((said) => bytesOf(said, words, functionOid));
  }
}

function bytesOf(said: Said, words: Spoken["words"], functionOid: Spoken["functionOid"]): Uint8Array {
  if (typeof said === "string") return client.query(filled(said, words));
  if (said instanceof Uint8Array) return said;
  return client.functionCall(functionOid(said.call));
}

function extended(sql: string, values: readonly (string | null)[]): Buffer {
  const start = [client.parse("", sql), client.bind("", "", { values }), client.describe("P", "")];
  return Buffer.concat([...start, client.execute(""), client.sync()]);
}

export function filled(text: string, words: Readonly<Record<string, string>>): string {
  return text.replace(/\{(sink|victim|database|id)\}/g, (whole, word: string) => words[word] ?? whole);
}

/** The rules by which Sallyport refused, in order; empty: it did not. */
export function refusalsOf({ errors }: SpeakerReport): readonly string[] {
  return errors.flatMap(({ C, D = "", M = "" }) => {
    const [, rules] = /^(?:rule )?(.+), session \w+$/.exec(D) ?? [];
    if (C === "42501" && rules !== undefined) return [rules];
    if (C === "42501" && M.startsWith("The startup parameter")) return ["startup parameter"];
    if (C === "42501" && M.startsWith("Replication connections")) return ["replication"];
    if (C === "22023" && M.startsWith("Only the client encodings")) return ["client_encoding"];
    return C === "08P01" && M.startsWith("Cannot ") ? ["protocol"] : [];
  });
}

/** Whether `wanted` is among the bytes, as text or in the hex form of bytea. */
export function arrived({ bytes }: SpeakerReport, wanted: string): boolean {
  const all = Buffer.from(bytes, "base64");
  return all.includes(wanted) || all.includes(Buffer.from(wanted).toString("hex"));
}
