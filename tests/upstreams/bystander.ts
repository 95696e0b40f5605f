/**
 * Another agent that minds its own business at a healthy server: one session that asks all the time, and new sessions
 * again and again. Tells what each took when a line comes on stdin. Knows nothing of Sallyport but the number of the
 * process whose waits for a processor do not count.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";

export interface Sample {
  /** "ask": a query of the old session. "open": a new session with one query. */
  readonly kind: "ask" | "open";
  /** Without what it and the daemon had to wait for a processor, which other programs of the machine had. */
  readonly ms: number;
  /** What went wrong. */
  readonly fault?: string;
}

const ASK_EVERY_MS = 20;
const OPEN_EVERY_MS = 250;

const [, , connectionString = "", daemonPid = ""] = process.argv;
let samples: Sample[] = [];
/** What is under way; it counts although it is not over. */
const running = new Map<object, () => Sample>();

/** How long the first threads of the two were ready to run and did not; proc(5), schedstat. */
function waitedMs(): number {
  const waited = (pid: string) => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  return waited("self") + waited(daemonPid);
}

async function sample(kind: Sample["kind"], act: () => Promise<unknown>): Promise<void> {
  const [began, waited] = [performance.now(), waitedMs()];
  const now = () => ({ kind, ms: Math.max(0, Math.round(performance.now() - began - (waitedMs() - waited))) });
  running.set(act, now);
  const fault = await act().then(
    () => undefined,
    (error: Error) => error.message,
  );
  running.delete(act);
  samples.push({ ...now(), ...(fault === undefined ? {} : { fault }) });
}

async function query(client: pg.Client): Promise<void> {
  const { rows } = await client.query("SELECT 6 * 7 AS answer");
  if (rows[0]?.answer !== 42) throw new Error("The answer is wrong");
}

async function asking(client: pg.Client): Promise<never> {
  for (;;) {
    await sample("ask", () => query(client));
    await wait(ASK_EVERY_MS);
  }
}

async function opening(): Promise<never> {
  for (;;) {
    await sample("open", async () => {
      const client = new pg.Client({ connectionString });
      client.on("error", () => {});
      await client.connect();
      await query(client);
      await client.end();
    });
    await wait(OPEN_EVERY_MS);
  }
}

createInterface({ input: process.stdin })
  .on("line", () => {
    const unfinished = [...running.values()].map((now) => now());
    process.stdout.write(`${JSON.stringify([...samples, ...unfinished])}\n`);
    samples = [];
  })
  .on("close", () => process.exit(0));

const client = new pg.Client({ connectionString });
client.on("error", () => {});
await client.connect();
await query(client);
process.stdout.write("[]\n");
await Promise.all([asking(client), opening()]);
