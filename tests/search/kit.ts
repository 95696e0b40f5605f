/** Sessions that a real recorder writes, and the index's own thread that reads them. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Operation } from "../../src/model/operation.ts";
import type { SearchAnswer, SearchRequest } from "../../src/model/search.ts";
import { createRecorder, type Recorder, type Recording } from "../../src/recorder/recorder.ts";
import { openSearch, type Search } from "../../src/search/search.ts";
import { openDatabase } from "../../src/store/database.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { allow, answer, start, summary } from "../recorder/kit.ts";
import { folder, quietLog } from "../store/folder.ts";

export interface World {
  readonly state: string;
  readonly store: Store;
  readonly recorder: Recorder;
  readonly log: ReturnType<typeof quietLog>;
  readonly search: Search;
  /** Another life of the index on the same folder. */
  reopen(): Promise<Search>;
}

export async function world(t: TestContext): Promise<World> {
  const state = join(folder(t), "state");
  const log = quietLog();
  const store = await openStore(state, log);
  const recordings = join(state, "recordings");
  const clock = { nowMs: () => Date.now() };
  const recorder = await createRecorder({ dir: recordings, clock, scrub: (text) => text, index: store.sessions, log });
  const open = () => openSearch({ stateDir: state, recordings, log });
  let search = open();
  t.after(async () => {
    await search.close();
    await recorder.close();
    await store.close();
  });
  return {
    ...{ state, store, recorder, log },
    get search() {
      return search;
    },
    async reopen() {
      await search.close();
      search = open();
      return search;
    },
  };
}

/** A statement on one table. */
export function operation(table: string, more: object = {}): Operation {
  const [schema = "", name = ""] = table.split(".");
  const tables = [{ schema, name, access: "read", labels: [], columnLabels: [] }];
  const statement = { kind: "select", tables, columns: ["*"], functions: [], oracles: [], ...more };
  return { actions: [{ name: "sql.read", facts: { statement } }] };
}

export function open({ recorder }: World, id: string, more: Partial<ReturnType<typeof start>> = {}): Recording {
  return recorder.open({ ...start(id), startedAtMs: Date.now(), ...more });
}

export function said(
  recording: Recording,
  askId: number,
  text: string,
  asked: Operation = operation("public.a"),
): void {
  recording.asked(askId, [{ operation: asked, text }], allow);
  recording.answered(answer(askId));
}

export async function end({ store }: World, recording: Recording): Promise<void> {
  await recording.end({ ...summary, endedAtMs: Date.now() });
  await store.sessions.flush();
}

export async function ask(
  { search, store }: World,
  query: string,
  more: Partial<SearchRequest> = {},
): Promise<SearchAnswer> {
  await store.sessions.flush();
  return search.search({ query, limit: 100, ...more });
}

export async function count({ state }: World, sql: string): Promise<number> {
  const database = await openDatabase(join(state, "search.db"));
  try {
    return (await database.one<{ n: number }>(sql))?.n ?? -1;
  } finally {
    await database.close();
  }
}
