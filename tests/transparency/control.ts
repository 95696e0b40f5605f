/**
 * That the comparison can fail: in a copy of the database one byte of one row is another. The queries that show this row,
 * and only those, must differ, in nothing but this byte.
 */
import { differencesOf, play } from "./compare.ts";
import { CLIENTS_DATABASE, type Sides } from "./sides.ts";

/** One byte of difference between them. */
const DATABASES = ["clean", "planted"] as const;
const CHAPTER = "queries, simple";

/** Undefined: the comparison has found the byte, where it is and nowhere else. */
export async function plant({ direct, folder, version }: Sides): Promise<string | undefined> {
  const { postgres } = direct;
  for (const name of DATABASES) await postgres.query(`CREATE DATABASE ${name} TEMPLATE ${CLIENTS_DATABASE}`);
  await postgres.query("UPDATE people SET name = 'persom 7' WHERE id = 7", "planted");
  const options = { version, seed: 1, oneIn: 1, only: CHAPTER, folder };
  const [clean, planted] = [
    await play(direct, { ...options, database: "clean" }),
    await play(direct, { ...options, database: "planted" }),
  ];
  for (const name of DATABASES) await postgres.query(`DROP DATABASE ${name}`);
  // What is composed at random may choose and sort rows by the value itself.
  const found = differencesOf(clean, planted).filter(({ name }) => name.startsWith("queries/"));
  if (found.length === 0) return "nothing differs";
  const wrong = found.find(({ direct: one, guarded: other }) => one.replaceAll("person 7", "persom 7") !== other);
  return wrong && `${wrong.name} differs in something else: ${wrong.direct} and ${wrong.guarded}`;
}
