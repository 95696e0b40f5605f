/** What the tests of a world share: rows are called at once, and everything that is wrong comes back as text. */
import { join } from "node:path";
import { readRecording } from "../../src/recorder/read.ts";
import type { Sample } from "./bystander.ts";
import type { CallReport } from "./guest.ts";
import { type Event, faultsOfCall, faultsOfHeard, faultsOfTrail, type RecordedEnd } from "./judge.ts";
import type { Row } from "./row.ts";
import {
  Bystander,
  type Certificates,
  descriptorsOf,
  eventually,
  PASSWORD,
  type Placed,
  residentBytes,
  startWorld,
  USER,
  type World,
} from "./world.ts";

const LOOK_EVERY_MS = 20;
/** Memory that grew by less than this for so many looks stands still. */
const STILL_BYTES = 1024 * 1024;
const STILL_LOOKS = 6;

export interface Happened {
  readonly reports: readonly CallReport[];
  /** Of the daemon's memory, at its most. */
  readonly grownBytes: number;
  readonly samples: readonly Sample[];
}

export class Arena {
  readonly world: World;
  readonly bystander: Bystander;
  /** Of the daemon, before any hostile server was met. */
  readonly descriptors: number;

  private constructor(world: World, bystander: Bystander) {
    this.world = world;
    this.bystander = bystander;
    this.descriptors = descriptorsOf(world.daemon.pid);
  }

  static async open(rows: readonly Row[], certificates: Certificates): Promise<Arena> {
    const world = await startWorld(rows, certificates);
    try {
      return new Arena(world, await Bystander.start(world));
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.bystander.leave();
    await this.world.stop();
  }

  placed(row: Row): Placed {
    const found = this.world.placed.find((each) => each.row === row);
    if (found === undefined) throw new Error(`No server was started for the row "${row.name}"`);
    return found;
  }

  /** Each row's server gets one client, all at once. */
  callAll(rows: readonly Row[]): Promise<readonly CallReport[]> {
    return Promise.all(rows.map((row) => this.world.guests.call(this.placed(row))));
  }

  /** With an eye on the bystander and on the daemon's memory. */
  async watch(act: () => Promise<readonly CallReport[]>): Promise<Happened> {
    await this.bystander.samples();
    const before = residentBytes(this.world.daemon.pid);
    let most = before;
    const looking = setInterval(() => {
      most = Math.max(most, residentBytes(this.world.daemon.pid));
    }, LOOK_EVERY_MS);
    try {
      const reports = await act();
      const samples = [...(await this.bystander.samples())];
      while (!samples.some(({ kind }) => kind === "ask")) samples.push(...(await this.bystander.samples()));
      return { reports, grownBytes: most - before, samples };
    } finally {
      clearInterval(looking);
    }
  }

  /** Resolves when `isBegun` and the daemon's memory has stopped to grow. */
  async fill(isBegun: () => boolean): Promise<void> {
    let [most, since] = [0, 0];
    await eventually(
      () => {
        const now = residentBytes(this.world.daemon.pid);
        since = now > most + STILL_BYTES || !isBegun() ? 0 : since + 1;
        most = Math.max(most, now);
        return since === STILL_LOOKS;
      },
      () => "The daemon's memory grows and grows",
    );
  }

  /** Waits until the sessions at these rows' servers are over, and says what is wrong with any of them. */
  async faultsOf(rows: readonly Row[], reports: readonly CallReport[]): Promise<readonly string[]> {
    const placed = rows.map((row) => this.placed(row));
    const open = () => this.#openAt(placed).map(({ row }) => row.name);
    await eventually(
      () => open().length === 0,
      () => `There are still sessions at servers that: ${open().join("; ")}`,
    );
    const events = this.world.daemon.events();
    const all = await Promise.all(
      placed.map(async ({ row, server, connection }, at) => {
        const own = events.filter((event) => event["connection"] === connection);
        const faults = [
          ...faultsOfCall(row, reports[at] as CallReport),
          ...faultsOfTrail(row.ends, own, await this.#recordedEnd(own)),
          ...(server.visits.length === 0 ? ["nobody came to it"] : []),
          ...server.visits.flatMap((visit) => faultsOfHeard(visit, PASSWORD, USER)),
        ];
        return faults.map((fault) => `a server that ${row.name}: ${fault}`);
      }),
    );
    return all.flat();
  }

  #openAt(placed: readonly Placed[]): readonly Placed[] {
    const ends = this.world.daemon.events().filter(({ kind }) => kind === "session.end");
    const ended = new Set(ends.map(({ connection }) => connection));
    return placed.filter(({ connection }) => !ended.has(connection));
  }

  async #recordedEnd(events: readonly Event[]): Promise<RecordedEnd | undefined> {
    const [start] = events;
    const recordings = join(this.world.daemon.stateDir, "recordings");
    for await (const entry of readRecording(recordings, String(start?.["sessionId"]))) {
      if (entry.kind === "end") return entry;
    }
    return undefined;
  }
}
