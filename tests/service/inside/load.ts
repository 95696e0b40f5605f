/**
 * An agent under load until its stdin ends; then one line of JSON with what became of each operation.
 * Three kinds of work at once: new connections for one statement each, sessions that stay and run transactions with a
 * pause between, and plain exchanges over the opaque protocol.
 */
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";

export interface LoadReport {
  /** Operations that were answered in full. */
  readonly done: number;
  /** Connects that were refused or not answered in time, by error. */
  readonly refused: Readonly<Record<string, number>>;
  /** Operations that were cut off after they had begun, by error. */
  readonly cut: Readonly<Record<string, number>>;
  /** Sessions that ended with a farewell while they rested; what was asked next was asked anew, and answered. */
  readonly farewells: number;
  readonly slowestMs: number;
}

/** A client is patient: a restart takes seconds, and the kernel's next SYN comes after one, three, seven. */
const PATIENCE_MS = 45_000;

const [, , url = "", echo = "", from = ""] = process.argv;
const counts = { done: 0, farewells: 0, slowestMs: 0 };
const refused: Record<string, number> = {};
const cut: Record<string, number> = {};
let isOver = false;
process.stdin.resume().on("end", () => {
  isOver = true;
});

/** Nobody took the connect. Anything else befell a connection that was made. */
const REFUSALS = /ECONNREFUSED|EPERM|EACCES|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|timeout expired/;

const noteOpening = (error: unknown): undefined => {
  const { code = "", message = "" } = error as { code?: string; message?: string };
  note(REFUSALS.test(`${code} ${message}`) ? refused : cut, error);
};

const note = (into: Record<string, number>, error: unknown) => {
  const { code = "", message = "" } = error as { code?: string; message?: string };
  const key = code === "" ? message : code;
  into[key] = (into[key] ?? 0) + 1;
};

async function timed(work: () => Promise<void>): Promise<void> {
  const startedMs = performance.now();
  await work();
  counts.slowestMs = Math.max(counts.slowestMs, Math.round(performance.now() - startedMs));
}

async function open(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: PATIENCE_MS });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** One connection, one statement. */
async function fresh(): Promise<void> {
  while (!isOver) {
    await timed(async () => {
      const client = await open().catch(noteOpening);
      if (client === undefined) return void (await wait(50));
      await client.query("SELECT 1").then(
        () => counts.done++,
        (error: unknown) => note(cut, error),
      );
      await client.end().catch(() => {});
    });
  }
}

/** A session that stays: BEGIN, work, COMMIT, a rest. One that has ended while it rested is opened again, as pools do. */
async function pooled(): Promise<void> {
  let client: pg.Client | undefined;
  while (!isOver) {
    await timed(async () => {
      for (let tries = 0; tries < 3; tries++) {
        client ??= await open().catch(noteOpening);
        if (client === undefined) return void (await wait(50));
        const begun = await client.query("BEGIN").then(
          () => true,
          (error: { code?: string }) => {
            if (error.code === "57P01" || /ended|terminated|not queryable/.test(String(error))) counts.farewells++;
            else note(cut, error);
            return false;
          },
        );
        if (!begun) {
          await client.end().catch(() => {});
          client = undefined;
          continue; // it was told before it had begun
        }
        try {
          await client.query("SELECT pg_sleep(0.02)");
          await client.query("COMMIT");
          counts.done++;
        } catch (error) {
          note(cut, error);
          await client.end().catch(() => {});
          client = undefined;
        }
        return;
      }
    });
    await wait(10);
  }
  await client?.end().catch(() => {});
}

function exchange(): Promise<void> {
  const [host = "", port = ""] = echo.split(":");
  return new Promise((resolve) => {
    const bind = from === "" ? {} : { localAddress: from };
    const socket = connect({ host, port: Number(port), ...bind });
    let isOpen = false;
    const end = (into: Record<string, number>, error: unknown) => {
      note(into, error);
      socket.destroy();
      setTimeout(resolve, 50);
    };
    socket.setTimeout(PATIENCE_MS, () => end(isOpen ? cut : refused, new Error("no answer")));
    socket.once("connect", () => {
      isOpen = true;
      socket.write("hello");
    });
    socket.once("error", (error) => end(isOpen ? cut : refused, error));
    socket.once("data", () => {
      counts.done++;
      socket.destroy();
      resolve();
    });
    socket.once("end", () => end(cut, new Error("ended without an answer")));
  });
}

async function exchanges(): Promise<void> {
  while (!isOver) await timed(exchange);
}

const work = [];
if (url !== "") work.push(fresh(), fresh(), pooled(), pooled());
if (echo !== "") work.push(exchanges(), exchanges());
console.log("started");
await Promise.all(work);
console.log(JSON.stringify({ ...counts, refused, cut } satisfies LoadReport));
process.exit(0);
