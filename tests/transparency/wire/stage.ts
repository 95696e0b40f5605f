/** Where a case is played: the connections of one side, and what they heard. */
import { setTimeout as wait } from "node:timers/promises";
import { client } from "../../kit/wire.ts";
import { type Heard, type Server, Talk } from "./talk.ts";

export type Version = 15 | 18;

export interface StageOptions {
  readonly server: Server;
  readonly version: Version;
  /** A case that waits longer for one answer is stuck. */
  readonly waitMs: number;
}

export interface OpenOptions {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly protocol?: number;
  /** What the server says before the first query is part of what was heard. */
  readonly greeting?: "compared";
}

/** Between two looks at whether something has begun on the server. */
const LOOK_EVERY_MS = 10;
const LOOKS_MAX = 2_000;

export class Stage {
  readonly version: Version;
  readonly #options: StageOptions;
  readonly #pids = new Map<number, string>();
  readonly #talks: Talk[] = [];
  #main: Talk | undefined;
  #looker: Talk | undefined;

  constructor(options: StageOptions) {
    this.#options = options;
    this.version = options.version;
  }

  /** The connection that the cases of a chapter share; a new one when the last has ended. */
  async main(): Promise<Talk> {
    if (this.#main === undefined || this.#main.closed) {
      this.#main = await this.#open("a", {});
      this.#main.heard();
    }
    return this.#main;
  }

  /** A further connection, for this case alone. Unless asked for, its greeting is not part of what it heard. */
  async open(name: string, options: OpenOptions = {}): Promise<Talk> {
    const talk = await this.#open(name, options);
    if (options.greeting !== "compared") talk.heard();
    this.#talks.push(talk);
    return talk;
  }

  /** Waits, over a connection that is not compared, until a query gives true. */
  async untilTrue(sql: string): Promise<void> {
    this.#looker ??= await this.#open("looker", {});
    for (let look = 0; look < LOOKS_MAX; look++) {
      await this.#looker.query(sql);
      if (this.#looker.values[0]?.toString() === "t") return;
      await wait(LOOK_EVERY_MS);
    }
    throw new Error(`Never true: ${sql}`);
  }

  /** Asks the server to end what `talk` runs, as a client does: by a connection of its own. */
  async cancel(talk: Talk): Promise<void> {
    const door = await Talk.dial("cancel", this.#options.server, this.#pids, this.#options.waitMs);
    door.send(client.cancelRequest(talk.key));
    await door.untilClosed();
  }

  /** The shared connection is in no transaction for the next case. */
  async settle(): Promise<void> {
    if (this.#main?.closed === false && this.#main.status !== "I") await this.#main.query("ROLLBACK");
  }

  /** What every connection heard in this case; those of the case alone are closed. */
  heard(): readonly Heard[] {
    const heard = [...(this.#main === undefined ? [] : [this.#main]), ...this.#talks].map((talk) => talk.heard());
    for (const talk of this.#talks.splice(0)) talk.socket.end(client.terminate());
    return heard;
  }

  endChapter(): void {
    this.#main?.socket.end(client.terminate());
    this.#main = undefined;
  }

  end(): void {
    this.endChapter();
    this.#looker?.socket.end(client.terminate());
  }

  async #open(name: string, { parameters = {}, protocol }: OpenOptions): Promise<Talk> {
    const { server, waitMs } = this.#options;
    const talk = await Talk.dial(name, server, this.#pids, waitMs);
    const { user, database } = server;
    const all = { user, database, client_encoding: "UTF8", ...parameters };
    talk.send(client.startup(all, protocol));
    await talk.until("Z");
    if (talk.closed) return talk;
    await talk.aside(() => talk.query("SELECT pg_backend_pid()"));
    this.#pids.set(Number(talk.values[0]), name);
    return talk;
  }
}
