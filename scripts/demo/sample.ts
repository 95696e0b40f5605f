/** The sample backend of `npm start`: a PostgreSQL of its own with a table of invented people. */
import { type Postgres, startPostgres } from "../../tests/kit/postgres.ts";

/** Invented: the card numbers are the networks' public test numbers, the SSNs were never issued to these names. */
const PEOPLE = [
  ["Ada Lovelace", "ada@example.com", "4111 1111 1111 1111", "219-09-9999"],
  ["Grace Hopper", "grace@example.com", "5555 5555 5555 4444", "457-55-5462"],
  ["Alan Turing", "alan@example.com", "3782 822463 10005", "856-45-6789"],
] as const;

export async function startSample(password: string): Promise<Postgres> {
  const sample = await startPostgres({ version: 18, password, tls: {} });
  const rows = PEOPLE.map((person) => `(${person.map((value) => `'${value}'`).join(", ")})`).join(", ");
  await sample.query(
    `CREATE TABLE customers (id serial PRIMARY KEY, name text, email text, card text, ssn text);
     INSERT INTO customers (name, email, card, ssn) VALUES ${rows}`,
  );
  return sample;
}

/** Every value that must not be seen by the agent. */
export const SECRETS_OF_PEOPLE: readonly string[] = PEOPLE.flatMap(([, , card, ssn]) => [card, ssn]);
