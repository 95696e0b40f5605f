/** Rows of statements in each form in which a client can say them, and what is looked for in their answers. */
import type { RowJob, RowReport } from "../kit/clients/rows-client.ts";
import { CARD, SSN, statementsOf } from "./world.ts";

export const FORMS = ["simple", "text", "binary"] as const;
export type Form = (typeof FORMS)[number];
export const BY = { simple: "the simple protocol", text: "the extended protocol", binary: "binary results" } as const;

/** Of the tables in world.ts. */
export const SECRETS = [
  ...[CARD, "5555555555554444", "378282246310005"],
  ...[SSN, "457-55-5462", "856-45-6789"],
] as const;

export const arrived = ({ bytes }: RowReport) => Buffer.from(bytes, "base64");
export const isRefused = ({ errors, closed }: RowReport) => !closed && errors.some(({ C }) => C === "42501");
export const database = "postgres";

export async function rowsOf(
  list: readonly { readonly name: string; readonly sql: string }[],
  form: Form,
  at = database,
): Promise<RowJob[]> {
  return Promise.all(
    list.map(async ({ name, sql }) => {
      return { name, database: at, form, statements: form === "simple" ? [sql] : await statementsOf(sql) };
    }),
  );
}
