/**
 * How recordings are kept, and what they keep of answers' rows: nothing unless the settings say so, for all connections
 * or for some. Reads no file; which rows an agent got is not known here.
 */
import { OUTPUT_BYTES_MAX, OUTPUT_ROWS_MAX } from "../base/limits.ts";
import type { Connection } from "../model/connection.ts";
import type { OutputCaps } from "../model/session.ts";
import type { RetentionRule } from "../recorder/retention.ts";
import type { Finding } from "./problems.ts";

export interface RawRecording {
  readonly durability?: RecordingSettings["durability"];
  readonly whenFull?: RecordingSettings["whenFull"];
  readonly seal?: boolean;
  readonly retention?: readonly {
    readonly labels?: Readonly<Record<string, string>>;
    readonly keepDays?: number;
    readonly keepBytes?: number | string;
  }[];
  readonly output?: RawOutput;
  readonly outputs?: readonly (RawOutput & { readonly connection?: string; readonly label?: string })[];
}

interface RawOutput {
  readonly rows?: number;
  readonly bytes?: number | string;
}

export interface RecordingSettings {
  /** What a decision has to survive before it is acted upon: the death of the process, or a loss of power. */
  readonly durability: "write" | "fsync";
  /** Where the disk takes nothing: deny operations, or go on and count what is not recorded. */
  readonly whenFull: "deny" | "continue";
  /** Whether recordings are sealed with a data key of the vault. */
  readonly seal: boolean;
  /** How long, and how much; the first whose labels a connection has counts. Without one recordings stay for ever. */
  readonly retention: readonly RetentionRule[];
  /** Of connections that none of `outputs` fits; undefined: nothing is kept of their rows. */
  readonly output: OutputCaps | undefined;
  /** The first that fits counts. */
  readonly outputs: readonly {
    /** A name, or a label as "key=value". */
    readonly of: { readonly connection: string } | { readonly label: readonly [key: string, value: string] };
    readonly caps: OutputCaps | undefined;
  }[];
}

/** Without `rows`, bytes alone are a cap, and the other way round; 0 of either keeps nothing. */
const ROWS_DEFAULT = 1_000;
const DAY_MS = 86_400_000;
const BYTES_DEFAULT = 256 * 1024;

export function readRecording(raw: RawRecording, report: (finding: Finding) => void): RecordingSettings {
  const { durability = "write", whenFull = "deny", seal = false } = raw;
  checkOrder(raw.retention ?? [], report);
  return {
    ...{ durability, whenFull, seal },
    retention: (raw.retention ?? []).map(({ labels = {}, keepDays, keepBytes }, index) => {
      if (keepDays === undefined && keepBytes === undefined) {
        report({
          path: ["recording", "retention", index],
          at: "value",
          message: "must say keepDays, keepBytes or both",
        });
      }
      return {
        connections: labels,
        ...(keepDays === undefined ? {} : { keepMs: keepDays * DAY_MS }),
        ...(keepBytes === undefined ? {} : { keepBytes: sizeOf(keepBytes) }),
      };
    }),
    output: raw.output === undefined ? undefined : capsOf(raw.output, ["recording", "output"], report),
    outputs: (raw.outputs ?? []).map((entry, index) => {
      const path = ["recording", "outputs", index];
      const { connection, label } = entry;
      if ((connection === undefined) === (label === undefined)) {
        report({ path, at: "value", message: "must name one of connection and label" });
      }
      const [key = "", ...value] = (label ?? "").split("=");
      const of = connection === undefined ? { label: [key, value.join("=")] as const } : { connection };
      return { of, caps: capsOf(entry, path, report) };
    }),
  };
}

/** What was to be kept for long must not be deleted because a rule before it covers it: that is said, not found out. */
function checkOrder(rules: NonNullable<RawRecording["retention"]>, report: (finding: Finding) => void): void {
  for (const [index, { labels = {} }] of rules.entries()) {
    const before = rules
      .slice(0, index)
      .findIndex((rule) => Object.entries(rule.labels ?? {}).every(([name, value]) => labels[name] === value));
    if (before < 0) continue;
    const message = `never counts: entry ${before + 1} comes first and covers all that it does; move it up`;
    report({ path: ["recording", "retention", index], at: "value", message });
  }
}

/** Undefined: nothing is kept of this connection's rows. */
export function outputOf(
  { output, outputs }: RecordingSettings,
  { name, labels }: Pick<Connection, "name" | "labels">,
): OutputCaps | undefined {
  const own = outputs.find(({ of }) =>
    "connection" in of ? of.connection === name : labels[of.label[0]] === of.label[1],
  );
  return own === undefined ? output : own.caps;
}

function capsOf(
  { rows, bytes }: RawOutput,
  path: Finding["path"],
  report: (finding: Finding) => void,
): OutputCaps | undefined {
  if (rows === undefined && bytes === undefined) report({ path, at: "value", message: "must say rows, bytes or both" });
  const caps = { rows: rows ?? ROWS_DEFAULT, bytes: bytes === undefined ? BYTES_DEFAULT : sizeOf(bytes) };
  if (caps.bytes > OUTPUT_BYTES_MAX || caps.rows > OUTPUT_ROWS_MAX) {
    report({ path: [...path, "bytes"], at: "value", message: "must be a size up to 16 MiB, as 65536 or 64 KiB" });
  }
  return caps.rows === 0 || caps.bytes === 0 ? undefined : caps;
}

/** The schema has checked its form. */
function sizeOf(size: number | string): number {
  if (typeof size === "number") return size;
  const unit = size.endsWith("GiB") ? 2 ** 30 : size.endsWith("MiB") ? 1024 * 1024 : size.endsWith("KiB") ? 1024 : 1;
  return Number.parseInt(size, 10) * unit;
}
