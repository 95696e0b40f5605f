/** Events, journals and a world for the parts of src/audit. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Journal, type JournalOptions } from "../../src/audit/journal.ts";
import { journalFiles, linesOf } from "../../src/audit/journal-files.ts";
import { type JournalEvent, readLine } from "../../src/audit/lines.ts";
import type { SinkWorld } from "../../src/audit/sink.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import { folder } from "../store/folder.ts";

export function event(at: number, more: Partial<AuditEvent> = {}): AuditEvent {
  return { atMs: at, kind: "action.deny", agent: "ci", message: `line\n${at}`, fields: { at }, ...more };
}

export function events(from: number, to: number): AuditEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => event(from + index));
}

/** A journal of its own, closed with the test. */
export function openJournal(t: TestContext, more: Partial<JournalOptions> = {}): Journal {
  const journal = Journal.open({ dir: join(folder(t), "events"), ...more });
  t.after(() => journal.close());
  return journal;
}

/** Resolves when it holds. Fails after two seconds: nothing here takes as long. */
export async function until(what: string, holds: () => boolean, limitMs = 2_000): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`It never came to be that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** All lines of the journal in a state folder. */
export function journalEvents(stateDir: string): JournalEvent[] {
  const events: JournalEvent[] = [];
  for (const { path } of journalFiles(join(stateDir, "events"))) {
    for (const { bytes } of linesOf(path)) {
      const event = readLine(bytes);
      if (event !== undefined) events.push(event);
    }
  }
  return events;
}

/** Its secrets are their references' names. */
export const WORLD: SinkWorld = {
  readSecret: async (reference) => Buffer.from(Object.values(reference).join("")),
  nowMs: () => Date.now(),
  hostName: "host.example",
  version: "0.1.0",
};
