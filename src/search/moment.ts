/** Times as people write them, in the zone of this host. Reads no clock. */

const UNITS = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * "2026-11-01", "2026-11-01T09:30[:15][Z]", or a time before now as "7d". Of a day alone, `edge` says which end of it is
 * meant. Undefined: it is none.
 */
export function readMoment(text: string, nowMs: number, edge: "start" | "end"): number | undefined {
  const ago = /^(\d{1,6})(s|min|h|d)$/.exec(text);
  if (ago !== null) return nowMs - Number(ago[1]) * UNITS[ago[2] as keyof typeof UNITS];
  if (/^\d{4}-\d\d-\d\d$/.test(text)) {
    const day = Date.parse(`${text}T00:00:00`);
    const next = new Date(day);
    next.setDate(next.getDate() + 1);
    return Number.isNaN(day) ? undefined : edge === "start" ? day : next.getTime() - 1;
  }
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?$/.test(text)) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}
