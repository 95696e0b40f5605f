/** What the guard says of an attack: the refusals in the daemon's audit trail. Reads, never writes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Daemon } from "../kit/daemon.ts";

/** Events that refuse; the mechanism is their reason, or stands here. */
const REFUSALS = /^(kernel\.|connection\.refused$|names\.|action\.deny$)/;

/** The C library of any program looks for it first; no attack is about it. */
const NSCD = /\/nscd\/socket$/;

interface Line {
  readonly kind: string;
  readonly agent?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface Question {
  /** A position from before the attack. */
  readonly from: number;
  readonly agent: string;
  readonly expected: readonly string[];
  /** Whether an event is to be waited for. */
  readonly patient: boolean;
  readonly withinMs: number;
}

export class Trail {
  readonly #folder: string | undefined;

  constructor(daemon: Daemon | undefined) {
    this.#folder = daemon === undefined ? undefined : join(daemon.stateDir, "events");
  }

  /** Bytes so far. */
  position(): number {
    return this.#text().length;
  }

  /**
   * Mechanisms that were named for `agent` since `from`, in order; what names no agent counts where it is expected. Waits for one of `expected` where `patient`, at most `withinMs`: the trail
   * is written a moment after the refusal.
   */
  async refusals({ from, agent, expected, patient, withinMs }: Question): Promise<readonly string[]> {
    const untilMs = performance.now() + withinMs;
    for (;;) {
      const found = this.#read(from, agent, expected);
      const isDone = found.some((mechanism) => expected.includes(mechanism));
      if (isDone || !patient || performance.now() > untilMs) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #read(from: number, own: string, expected: readonly string[]): readonly string[] {
    const lines = this.#text().slice(from).split("\n").filter(Boolean);
    const all = lines.flatMap((text) => {
      const { kind, agent, fields } = JSON.parse(text) as Line;
      if (!REFUSALS.test(kind) || (agent !== undefined && agent !== own)) return [];
      const { reason, path } = fields ?? {};
      if (typeof path === "string" && NSCD.test(path)) return [];
      const mechanism = typeof reason === "string" ? reason : kind === "action.deny" ? "policy" : kind;
      return agent === undefined && !expected.includes(mechanism) ? [] : [mechanism];
    });
    return [...new Set(all)];
  }

  #text(): string {
    const folder = this.#folder;
    if (folder === undefined || !existsSync(folder)) return "";
    const files = readdirSync(folder).sort(); // their names are numbers of one length
    return files.map((file) => readFileSync(join(folder, file), "latin1")).join("");
  }
}
