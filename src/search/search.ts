/**
 * Search as the daemon sees it: a process of its own that reads what is recorded, and questions to it. Costs the data path
 * nothing: nobody hands it anything, it has memory and a low priority of its own, and when it fails it is started again.
 * Bounded: so many questions may wait.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, UserError } from "../base/errors.ts";
import { SEARCH_CLOSE_MS, SEARCH_HEAP_MB_MAX, SEARCH_YOUNG_HEAP_MB_MAX, SEARCHES_WAITING_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { SearchAnswer, SearchLag, SearchRequest } from "../model/search.ts";
import type { FromWorker, ToWorker, WorkerOptions } from "./messages.ts";

export interface Search {
  /** Throws UserError SEARCH_QUERY, SEARCH_TOO_WIDE, SEARCH_BUSY, SEARCH_FAILED, SEARCH_REBUILDING. */
  search(request: SearchRequest): Promise<SearchAnswer>;
  /** As of the last piece of work. */
  lag(): SearchLag;
  /** Forgets all of it and begins anew; resolves when it has begun. */
  reindex(): Promise<void>;
  /** The store has sessions that were not in it when their time was passed. */
  lookAgain(): Promise<void>;
  /** Of sessions whose recordings are deleted. */
  forget(sessions: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
const FLAGS = [
  `--max-old-space-size=${SEARCH_HEAP_MB_MAX}`,
  `--max-semi-space-size=${SEARCH_YOUNG_HEAP_MB_MAX}`,
  "--disable-warning=ExperimentalWarning",
];
/** All of its threads. Not the least there is, or a search would wait for whatever else the host does. */
const NICE = 10;
/** One that failed is started again after so long, twice as long each time. */
const RESTART_MS = 1_000;
const RESTART_MS_MAX = 600_000;

interface Waiting {
  readonly resolve: (answer: SearchAnswer | undefined) => void;
  readonly reject: (error: Error) => void;
}

export interface SearchOptions {
  readonly stateDir: string;
  /** `<state>/recordings` */
  readonly recordings: string;
  readonly log: Log;
}

export function openSearch({ stateDir, recordings, log }: SearchOptions): Search {
  const options: WorkerOptions = {
    file: join(stateDir, "search.db"),
    store: join(stateDir, "sallyport.db"),
    recordings,
  };
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let lag: SearchLag = { sessions: 0, segments: 0, events: 0, oldestMs: 0, indexedUpToMs: 0 };
  let restartMs = RESTART_MS;
  let restart: NodeJS.Timeout | undefined;
  let isClosing = false;
  let worker = start();

  function start(): ChildProcess {
    const started = fork(WORKER, [JSON.stringify(options)], {
      execPath: "nice",
      execArgv: ["-n", String(NICE), process.execPath, ...FLAGS],
      env: {}, // the daemon's own may hold secrets
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    started.unref();
    started.channel?.unref();
    started.on("message", hear);
    started.on("error", (error) => log.error("The search index cannot be started", { error: messageOf(error) }));
    started.on("close", () => {
      for (const { reject } of waiting.values()) reject(failed());
      waiting.clear();
      if (isClosing) return;
      restart = setTimeout(() => {
        worker = start();
      }, restartMs).unref();
      restartMs = Math.min(restartMs * 2, RESTART_MS_MAX);
    });
    return started;
  }

  function hear(message: FromWorker): void {
    switch (message.kind) {
      case "lag":
        lag = message.lag;
        restartMs = RESTART_MS;
        return;
      case "warn":
        log.warn(message.message, message.fields);
        return;
      case "answer":
        take(message.id)?.resolve(message.answer);
        return;
      case "failed": {
        const { code, message: text, remedy, exitCode } = message;
        take(message.id)?.reject(new UserError(code, text, remedy, { exitCode }));
        return;
      }
      default:
        message satisfies never;
    }
  }

  function asked(
    message:
      | { readonly kind: "reindex" | "look-again" }
      | Omit<Extract<ToWorker, { kind: "search" }>, "id">
      | Omit<Extract<ToWorker, { kind: "forget" }>, "id">,
  ): Promise<SearchAnswer | undefined> {
    if (waiting.size >= SEARCHES_WAITING_MAX) {
      const text = `Cannot search: ${SEARCHES_WAITING_MAX} searches wait already`;
      return Promise.reject(new UserError("SEARCH_BUSY", text, "Try again in a moment", { exitCode: 3 }));
    }
    if (isClosing || !worker.connected) return Promise.reject(failed());
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.channel?.ref(); // whoever waits for an answer keeps the process alive
      worker.send({ ...message, id } satisfies ToWorker, (error) => error && take(id)?.reject(failed()));
    });
  }

  function take(id: number): Waiting | undefined {
    const found = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.channel?.unref();
    return found;
  }

  return {
    async search(request) {
      const answer = await asked({ kind: "search", request });
      if (answer === undefined) throw failed();
      return answer;
    },
    lag: () => lag,
    async reindex() {
      await asked({ kind: "reindex" });
    },
    async lookAgain() {
      await asked({ kind: "look-again" });
    },
    async forget(sessions) {
      await asked({ kind: "forget", sessions });
    },
    async close() {
      if (isClosing) return;
      isClosing = true;
      clearTimeout(restart);
      if (!worker.connected) return;
      const ended = once(worker, "close");
      worker.ref();
      worker.send({ kind: "close" } satisfies ToWorker);
      const kill = setTimeout(() => worker.kill("SIGKILL"), SEARCH_CLOSE_MS);
      await ended;
      clearTimeout(kill);
    },
  };
}

function failed(): UserError {
  return new UserError("SEARCH_FAILED", "Cannot search: the index failed", "See the daemon's log; it is started again");
}
