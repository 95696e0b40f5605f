/** A client.ts that this process drives, as the subject starts its clients; ended by `close`. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Order, Ran } from "./client.ts";
import type { Running } from "./subjects.ts";

type Run = Extract<Order, { sql: string }>;

/** Of one order, or its end: a thousand logins or a gigabyte on a busy machine take a minute. */
const WAIT_MS = 180_000;

export class Driven {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #said = "";

  constructor(running: Running, sslMode: "disable" | "require" = "disable") {
    const argv = [process.execPath, "--disable-warning=ExperimentalWarning"];
    const [file = "", ...args] = running.command([
      ...argv,
      join(import.meta.dirname, "client.ts"),
      String(running.port),
    ]);
    const child = spawn(file, args, {
      env: { ...process.env, PGPASSWORD: running.password, PGSSLMODE: sslMode },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => {}); // it has ended: told by the answer that does not come
    child.stderr.on("data", (bytes: Buffer) => {
      this.#said = `${this.#said}${bytes}`.slice(-2_000);
    });
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async open(count: number): Promise<void> {
    await this.#order({ open: count });
  }

  run(order: Run): Promise<Ran> {
    return this.#order(order) as Promise<Ran>;
  }

  /** Its connections end with it. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.stdin?.end();
    await this.#inTime(ended);
  }

  async #order(order: Order): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.#inTime(this.#answers.next());
    if (done === true) throw new Error(`The client ended: ${this.#said}`);
    return JSON.parse(value);
  }

  /** A client that hangs is killed, which settles what waits for it. */
  async #inTime<T>(work: Promise<T>): Promise<T> {
    const late = setTimeout(() => this.#child.kill("SIGKILL"), WAIT_MS);
    try {
      return await work;
    } finally {
      clearTimeout(late);
    }
  }
}
