/**
 * The index's process: reads what is recorded at leisure, answers searches, and builds the index anew where it is damaged.
 * Rests longer than it works, so that it never stands in the way of what it indexes. Ends with the daemon.
 */
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { SEARCH_CATCH_UP_MS, SEARCH_LOOK_MS } from "../base/limits.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { ask } from "./ask.ts";
import { isDamage, openIndex, removeIndex } from "./index-file.ts";
import { Indexer } from "./indexer.ts";
import type { FromWorker, ToWorker, WorkerOptions } from "./messages.ts";
import { createPace } from "./pace.ts";
import { IndexWriter } from "./writer.ts";

/** After a failure that is not damage: a disk that is full. */
const FAILED_REST_MS = 5_000;

interface Opened {
  readonly writing: Database;
  readonly reading: Database;
  readonly writer: IndexWriter;
  readonly indexer: Indexer;
}

class IndexProcess {
  readonly #options: WorkerOptions;
  readonly #store: Database;
  #opened: Opened;
  /** One at a time: a piece of indexing, a search, or building anew. */
  #turn: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};
  #isClosing = false;

  private constructor(options: WorkerOptions, store: Database, opened: Opened) {
    this.#options = options;
    this.#store = store;
    this.#opened = opened;
  }

  static async start(options: WorkerOptions): Promise<IndexProcess> {
    const store = await openDatabase(options.store);
    return new IndexProcess(options, store, await open(options, store));
  }

  async run(): Promise<void> {
    const pace = createPace();
    while (!this.#isClosing) {
      const beganMs = performance.now();
      const did = await this.#inTurn(() => this.#step(0));
      tell({ kind: "lag", lag: this.#opened.indexer.lag() });
      const workedMs = performance.now() - beganMs;
      const restMs = did === "worked" ? pace(workedMs) : did === "idle" ? SEARCH_LOOK_MS : FAILED_REST_MS;
      await this.#rest(restMs);
    }
  }

  async hear(message: ToWorker): Promise<void> {
    if (message.kind === "close") {
      this.#isClosing = true;
      this.#wake();
      await this.#turn;
      await close(this.#opened);
      await this.#store.close();
      process.disconnect();
      return;
    }
    const { id } = message;
    try {
      tell({ kind: "answer", id, answer: await this.#answer(message) });
    } catch (error) {
      const user = error instanceof UserError ? error : undefined;
      if (user === undefined) warn("A search failed", { error: messageOf(error) });
      const { message: text, remedy, exitCode } = user ?? UNANSWERED;
      tell({ kind: "failed", id, code: user?.code ?? "SEARCH_FAILED", message: text, remedy, exitCode });
    }
    tell({ kind: "lag", lag: this.#opened.indexer.lag() });
  }

  #answer(message: Exclude<ToWorker, { kind: "close" }>) {
    switch (message.kind) {
      case "search":
        return this.#search(message.request);
      case "reindex":
        return this.#inTurn(async () => {
          await this.#reopen("somebody asked for it");
          return undefined;
        });
      case "look-again":
        return this.#inTurn(async () => {
          this.#opened.indexer.lookAgain();
          return undefined;
        });
      case "forget":
        return this.#inTurn(async () => {
          await this.#opened.indexer.forget(message.sessions);
          return undefined;
        });
      default:
        return message satisfies never;
    }
  }

  /** What was recorded until now is read first, as far as there is time. */
  async #search(request: Extract<ToWorker, { kind: "search" }>["request"]) {
    const sinceMs = Date.now();
    const endMs = performance.now() + SEARCH_CATCH_UP_MS;
    while (performance.now() < endMs && (await this.#inTurn(() => this.#step(sinceMs))) === "worked");
    return this.#inTurn(async () => {
      const { reading, indexer } = this.#opened;
      try {
        return await ask(reading, request, Date.now(), indexer.lag());
      } catch (error) {
        if (!isDamage(error)) throw error;
        await this.#reopen("it is damaged");
        throw new UserError(
          "SEARCH_REBUILDING",
          "Cannot search: the index was damaged and is being built anew",
          "Ask again",
        );
      }
    });
  }

  async #step(sinceMs: number): Promise<"worked" | "idle" | "failed"> {
    try {
      return await this.#opened.indexer.step(sinceMs);
    } catch (error) {
      if (isDamage(error)) await this.#reopen("it is damaged");
      else warn("The search index cannot be written", { code: codeOf(error), error: messageOf(error) });
      return "failed";
    }
  }

  async #reopen(why: string): Promise<void> {
    warn("The search index is built anew", { why });
    await close(this.#opened);
    removeIndex(this.#options.file);
    this.#opened = await open(this.#options, this.#store);
    this.#wake();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #rest(ms: number): Promise<void> {
    if (this.#isClosing) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const UNANSWERED = { message: "Cannot search: the index failed", remedy: "See the daemon's log", exitCode: 1 } as const;

async function open({ file, recordings }: WorkerOptions, store: Database): Promise<Opened> {
  const { database: writing, rebuilt } = await openIndex(file);
  if (rebuilt !== undefined) warn("The search index is built anew", { why: rebuilt });
  const reading = await openDatabase(file);
  const writer = new IndexWriter(writing);
  const indexer = new Indexer({ writer, store, recordings, nowMs: () => Date.now(), warn });
  return { writing, reading, writer, indexer };
}

/** What is damaged may not even close. */
async function close({ writing, reading }: Opened): Promise<void> {
  for (const database of [reading, writing]) await database.close().catch(() => undefined);
}

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

function warn(message: string, fields: Readonly<Record<string, string>>): void {
  tell({ kind: "warn", message, fields });
}

process.once("disconnect", () => process.exit()); // the daemon is gone, however it went
const index = await IndexProcess.start(JSON.parse(process.argv[2] ?? "") as WorkerOptions);
process.on("message", (message: ToWorker) => void index.hear(message));
await index.run();
