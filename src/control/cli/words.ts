/** Times as a person types them. Throws InvalidArgumentError, which commander says as wrong usage. */
import { InvalidArgumentError } from "commander";
import { durationMs } from "../../base/duration.ts";

/** "90s", "30m", "2h", "1d", "1h30m" in milliseconds. */
export function readDuration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError("Write it like 30m, 2h, 1h30m or 7d.");
  if (ms === 0) throw new InvalidArgumentError("It must be longer than nothing.");
  return ms;
}

/** "18:30" (the next one), "2025-03-01", "2025-03-01T18:30" in the reader's time zone, or with a zone of its own. */
export function readMoment(text: string, nowMs = Date.now()): number {
  const clock = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (clock !== null) {
    const [hours, minutes] = [Number(clock[1]), Number(clock[2])];
    if (hours > 23 || minutes > 59) throw new InvalidArgumentError("There is no such time of day.");
    const next = new Date(nowMs);
    next.setHours(hours, minutes, 0, 0);
    if (next.getTime() <= nowMs) next.setDate(next.getDate() + 1);
    return next.getTime();
  }
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const whole = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?$/.test(text);
  const atMs = day || whole ? Date.parse(day ? `${text}T00:00` : text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new InvalidArgumentError("Write it like 18:30 or 2025-03-01T18:30.");
  return atMs;
}
