/** The daemon's own process: how late its event loop is, what it uses. Reads /proc/self and never another process. */
import { readdirSync, readFileSync } from "node:fs";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { LOOP_WINDOW_MS } from "../base/limits.ts";
import type { Reading } from "./exposition.ts";
import type { Readings } from "./metrics.ts";

const QUANTILES = [50, 99, 100] as const;
/** Timers are late by this at least, since they are measured by timers of so many milliseconds. */
const RESOLUTION_MS = 10;

export class ProcessMeter {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  /** Of the last whole window: whoever asks, and how often, changes nothing. */
  #window: readonly Reading[] = [];

  constructor() {
    this.#delay.enable();
    this.#timer = setInterval(() => this.#turn(), LOOP_WINDOW_MS).unref();
  }

  readings(): Readings {
    const { user, system } = process.cpuUsage();
    const of = (value: number): readonly Reading[] => [{ labels: [], value }];
    return {
      loopDelay: this.#window,
      loopBusy: of(performance.eventLoopUtilization().active / 1_000),
      started: of(performance.timeOrigin / 1_000),
      cpu: of((user + system) / 1e6),
      memory: of(process.memoryUsage.rss()),
      descriptors: of(readdirSync("/proc/self/fd").length - 1), // one of them is the listing's own
      descriptorsMax: of(descriptorsMax()),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#delay.disable();
  }

  #turn(): void {
    this.#window = QUANTILES.map((percent) => {
      const ms = this.#delay.percentile(percent) / 1e6;
      return { labels: [String(percent / 100)], value: Math.max(0, ms - RESOLUTION_MS) / 1_000 };
    });
    this.#delay.reset();
  }
}

function descriptorsMax(): number {
  const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return soft === undefined || soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}
