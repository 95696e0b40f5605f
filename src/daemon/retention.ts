/**
 * Deletes recordings that are to go: a tombstone into the trail first, then the files, then what indexes them. The rest
 * stays provable, since a checkpoint signs the tombstones. Which are to go is planned by recorder/retention.ts.
 */
import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Audit } from "../audit/audit.ts";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { RETENTION_DELETES_MAX } from "../base/limits.ts";
import type { AuditEvent } from "../model/event.ts";
import { listDays, namesOf } from "../recorder/files.ts";
import { listSegments } from "../recorder/read.ts";
import { type Deletion, planRetention, type RetentionRule, type StoredSession } from "../recorder/retention.ts";
import type { LegalHold, LegalHoldStore } from "../store/legal-holds.ts";
import type { SessionRow, SessionStore } from "../store/sessions.ts";

export interface RetentionParts {
  readonly clock: Clock;
  /** `<state>/recordings` */
  readonly dir: string;
  readonly index: SessionStore;
  readonly holds: LegalHoldStore;
  readonly rules: () => readonly RetentionRule[];
  /** Of a connection, as the settings have them now; undefined where it is not in them any more. */
  readonly labelsOf: (connection: string) => Readonly<Record<string, string>> | undefined;
  readonly emit: (event: AuditEvent) => void;
  /** What was emitted is in the trail, or counted as lost. */
  readonly flush: () => Promise<void>;
  readonly trail: Pick<Audit, "failure" | "lostOfJournal">;
  /** Signs what was told until now. */
  readonly checkpoint: () => Promise<void>;
  /** Sessions are gone: whoever indexes them forgets them. */
  readonly forget: (sessions: readonly string[]) => Promise<void>;
}

export interface PlannedDeletion extends Deletion {
  readonly agent: string;
  readonly connection: string;
  readonly endedMs: number;
  readonly bytes: number;
}

export class Retention {
  readonly #parts: RetentionParts;
  #running: Promise<unknown> = Promise.resolve();
  /** Whoever looks at recordings: each of them resolves at its end. */
  readonly #readers = new Set<Promise<void>>();

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** What would go now, oldest first. Changes nothing. */
  async plan(): Promise<readonly PlannedDeletion[]> {
    const { index, holds, rules, labelsOf, dir, clock } = this.#parts;
    if (rules().length === 0) return [];
    await index.flush();
    const held = new Set((await holds.all()).map(({ sessionId }) => sessionId));
    const sizes = await sizesIn(dir);
    const rows = new Map<string, SessionRow>();
    const stored: StoredSession[] = [];
    for await (const row of index.each()) {
      const { id, connection, state } = row;
      rows.set(id, row);
      const endedMs = state === "open" ? undefined : (row.endedMs ?? row.startedMs);
      stored.push({
        ...{ id, labels: labelsOf(connection), endedMs, bytes: sizes.get(id) ?? 0 },
        held: held.has(id) ? "held" : "free",
      });
    }
    return planRetention(stored, rules(), clock.nowMs()).flatMap((deletion) => {
      const row = rows.get(deletion.id);
      if (row === undefined) return [];
      const { agent, connection, startedMs, endedMs = startedMs } = row;
      return [{ ...deletion, agent, connection, endedMs, bytes: sizes.get(deletion.id) ?? 0 }];
    });
  }

  /** Deletes what is planned, so many at most; one run at a time. Returns what went. Throws TOMBSTONE_UNWRITTEN. */
  async run(): Promise<readonly PlannedDeletion[]> {
    while (this.#readers.size > 0) await Promise.all(this.#readers);
    return this.#inTurn(() => this.#delete());
  }

  /** While `lines` look at the recordings none of them is deleted: what is gone would be told as removed. */
  async *keeping<Line>(lines: AsyncIterable<Line>): AsyncGenerator<Line, void> {
    for (let seen: unknown; seen !== this.#running; ) {
      seen = this.#running;
      await this.#running.catch(() => {});
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#readers.add(promise);
    try {
      yield* lines;
    } finally {
      this.#readers.delete(promise);
      resolve();
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = this.#running.catch(() => {}).then(work);
    this.#running = next;
    return next;
  }

  listHolds(): Promise<readonly LegalHold[]> {
    return this.#parts.holds.all();
  }

  /** Behind a run that goes on: what that takes is not there to be held. Throws SESSION_UNKNOWN. */
  hold(hold: LegalHold): Promise<void> {
    const { index, holds } = this.#parts;
    return this.#inTurn(async () => {
      await index.flush();
      if ((await index.get(hold.sessionId)) === undefined) throw unknownSession(hold.sessionId);
      await holds.put(hold);
    });
  }

  /** Throws SESSION_UNKNOWN where it is not held. */
  async unhold(sessionId: string): Promise<void> {
    if (!(await this.#parts.holds.remove(sessionId))) throw unknownSession(sessionId);
  }

  async #delete(): Promise<readonly PlannedDeletion[]> {
    const { clock, dir, index, emit, flush, trail, checkpoint, forget } = this.#parts;
    const planned: PlannedDeletion[] = [];
    for (const deletion of (await this.plan()).slice(0, RETENTION_DELETES_MAX)) {
      if (await this.#isAsOld(deletion)) planned.push(deletion);
    }
    if (planned.length === 0) return [];
    const lost = trail.lostOfJournal;
    const refuseUnkept = () => {
      if (trail.failure !== undefined || trail.lostOfJournal !== lost) throw tombstoneUnwritten(trail.failure);
    };
    for (const { id, agent, connection, why, rule, bytes } of planned) {
      const message = `The recording of ${id} is deleted: ${why === "age" ? "it is older" : "there is more"} than the settings keep`;
      emit({
        ...{ atMs: clock.nowMs(), kind: "recording.delete", agent, sessionId: id, connection, message },
        fields: { why, rule, bytes },
      });
    }
    // signed before the first file goes: after a crash the trail tells of more than is gone, never of less
    await flush();
    refuseUnkept();
    await checkpoint();
    refuseUnkept();
    const files = await filesIn(dir);
    for (const { id } of planned) {
      for (const file of (files.get(id) ?? []).toReversed()) {
        // under whatever name it has by now: it may be compressed at this moment
        for (const name of namesOf(file)) await rm(name, { force: true });
      }
      await turn();
    }
    await forget(planned.map(({ id }) => id));
    for (const { id } of planned) await index.forget(id);
    for (const day of await listDays(dir)) await rmdir(join(dir, day)).catch(() => undefined); // those that are empty
    return planned;
  }

  /**
   * The database says when a session ended; its recording says when it was last written, under a signature. Whoever can
   * only write to the database gets no tombstone for what is to be kept.
   */
  async #isAsOld({ id, why, rule }: PlannedDeletion): Promise<boolean> {
    const { dir, rules, clock, emit } = this.#parts;
    const { keepMs } = rules()[rule] ?? {};
    if (why !== "age" || keepMs === undefined) return true;
    const last = (await listSegments(dir, id).catch(() => [])).at(-1);
    if (last === undefined || clock.nowMs() - last.openedMs > keepMs) return true;
    const message = `Session ${id} is not deleted: the index says that it ended before its recording was last written`;
    const atMs = clock.nowMs();
    emit({ atMs, kind: "evidence.tamper", sessionId: id, message, fields: { what: "changed", where: "index" } });
    return false;
  }
}

const SEGMENT = /^(([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.\d{4,9}\.rec)(\.zst(\.new)?)?$/;

/** By session, in the order of their segments: each file's name as it is without being compressed. */
async function filesIn(dir: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const files = new Map<string, string[]>();
  for (const day of await listDays(dir)) {
    for (const name of (await readdir(join(dir, day))).sort()) {
      const [, segment, id] = SEGMENT.exec(name) ?? [];
      if (segment === undefined || id === undefined) continue;
      const [own, file] = [files.get(id), join(dir, day, segment)];
      if (own === undefined) files.set(id, [file]);
      else if (own.at(-1) !== file) own.push(file);
    }
  }
  return files;
}

async function sizesIn(dir: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const [id, files] of await filesIn(dir)) {
    for (const file of files.flatMap(namesOf)) {
      const found = await stat(file).catch(() => undefined); // compressed meanwhile: the next run sees it
      sizes.set(id, (sizes.get(id) ?? 0) + (found?.size ?? 0));
    }
  }
  return sizes;
}

function unknownSession(id: string): UserError {
  const message = `Cannot find session ${JSON.stringify(id)}, or it is not held`;
  return new UserError("SESSION_UNKNOWN", message, "List them: sallyport sessions, sallyport sessions holds");
}

function tombstoneUnwritten(failure: string | undefined): UserError {
  const why = failure ?? "too many events wait for their receivers";
  return new UserError(
    "TOMBSTONE_UNWRITTEN",
    `Cannot delete recordings: the audit trail does not take their tombstones: ${why}`,
    "Make room on the disk of the state folder, or bring the receivers of events back; it is tried again each hour",
  );
}
