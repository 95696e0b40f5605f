/** The tables of every measure, what they are labelled with, and how many rows of them are read. */
import { capture } from "../kit/daemon.ts";
import type { Postgres } from "../kit/postgres.ts";

export interface Effort {
  /** Of one run against the clock. */
  readonly seconds: number;
  /** In `people` and `notes`. */
  readonly rows: number;
}

/** Two branches for each of 16 clients, or else TPC-B would measure their waits for each other's row. */
export const SCALE = 32;
/** Bytes of the texts in `wide_16` … */
export const WIDTHS: readonly number[] = [16, 64, 256, 1_024, 4_096, 16_384];
const WIDE_BYTES = 16 * 1024 * 1024;
const WIDE_TEXT = "some words, then order 4711 and more ";

/** The first row's, which a masked answer must not show. */
export const FIRST_SSN = "219-10-0001";
export const FIRST_CARD = "4111 1111 1111 1111";

/** Of `people`, for the settings: what policy masks. */
export const LABELS = "public.people: { columns: { ssn: [pii], email: [pii] } }";

export async function prepare(server: Postgres, { rows }: Effort): Promise<void> {
  const connection = ["-h", server.socketFolder, "-p", String(server.port), "-U", server.superuser, "postgres"];
  const argv = ["-i", "-I", "dtGp", "-q", "-s", String(SCALE), ...connection];
  const { code, stderr } = await capture("pgbench", argv, { timeoutMs: 300_000 });
  if (code !== 0) throw new Error(`Cannot prepare pgbench's tables: ${stderr}`);
  await server.query(
    `CREATE TABLE people (id int, name text, city text, ssn text, email text);
     INSERT INTO people SELECT i, 'Person number ' || i, 'City of ' || i % 1000,
         '219-10-' || lpad((i % 10000)::text, 4, '0'), 'person' || i || '@example.com'
       FROM generate_series(1, ${rows}) i;
     CREATE TABLE notes (subject text, body text);
     INSERT INTO notes SELECT 'Order ' || 100000 + i || ' of 2026-0' || 1 + i % 9 || '-1' || i % 10,
         CASE WHEN i = 1 THEN 'Paid by ${FIRST_CARD}. ' ELSE '' END ||
         'The customer asked for a refund of ' || i % 500 || '.00 and wants to be called at 555-01' || 10 + i % 90
       FROM generate_series(1, ${rows}) i`,
  );
  for (const width of WIDTHS) {
    await server.query(
      `CREATE TABLE wide_${width} (body text);
       ALTER TABLE wide_${width} ALTER body SET STORAGE EXTERNAL;
       INSERT INTO wide_${width} SELECT left(repeat('${WIDE_TEXT}', ${Math.ceil(width / WIDE_TEXT.length)}), ${width})
         FROM generate_series(1, ${WIDE_BYTES / width})`,
    );
  }
  await server.query("VACUUM ANALYZE");
  await server.query("CHECKPOINT");
}
