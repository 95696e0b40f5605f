/** A server that goes down while clients are connected: they must hear the same. Ends the servers of both sides. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Side } from "../sides.ts";
import { type Client, linesApart, PROGRAMS, runOn } from "./client.ts";

const LOOK_EVERY_MS = 20;
const LOOKS_MAX = 1_000;
const WORDS = /57P01.*terminating connection due to administrator command/g;
const CONNECTIONS = 3;

/** Not among the others, because nothing can come after it. */
export const SHUTDOWN: Client = {
  name: "a server that shuts down",
  what: "connections at rest, in a transaction and at work of node pg; all three hear why they end",
  packages: [],
  isQuick: true,
  differs: async ({ direct, guarded }) => {
    const [one, other] = [await heardAtShutdown(direct), await heardAtShutdown(guarded)];
    const said = one.match(WORDS)?.length ?? 0;
    return said < CONNECTIONS ? `the direct run itself says ${one}` : linesApart(one, other);
  },
};

async function heardAtShutdown(side: Side): Promise<string> {
  const program = runOn(side, [process.execPath, join(PROGRAMS, "shutdown.mjs")]);
  await untilAtWork(side);
  await side.postgres.stop();
  const { code, stdout, stderr } = await program;
  return `${stdout}\n${stderr}\n${code}`;
}

async function untilAtWork({ name, postgres }: Side): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const rows = await postgres.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    if (rows[0]?.["n"] === 1) return;
    await wait(LOOK_EVERY_MS);
  }
  throw new Error(`Nothing is at work on the ${name} side`);
}
