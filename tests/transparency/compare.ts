/** Plays the corpus on both sides and says where they differ. Compares every byte of every connection. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messagesIn } from "../kit/wire.ts";
import { STATED, STATED_PREFIX } from "./corpus/stated.ts";
import { DATABASE, type Side } from "./sides.ts";
import type { Job, Report } from "./wire/client.ts";
import type { Version } from "./wire/stage.ts";
import type { Heard } from "./wire/talk.ts";

export interface PlayOptions {
  readonly version: Version;
  readonly seed: number;
  readonly oneIn: number;
  readonly parts?: Job["parts"];
  readonly only?: string;
  /** For the job's file. */
  readonly folder: string;
  /** Another database than both sides' own. */
  readonly database?: string;
}

export interface Difference {
  readonly name: string;
  /** What each side heard, at the first message that differs. */
  readonly direct: string;
  readonly guarded: string;
}

const CLIENT = fileURLToPath(new URL("wire/client.ts", import.meta.url));
const FLAGS = ["--liftoff-only", "--disable-warning=ExperimentalWarning", "--max-old-space-size=1024"];
/** One answer of the slowest case comes sooner, on a busy machine too. */
const WAIT_MS = 20_000;
const PLAY_LIMIT_MS = 1_800_000;

/** Everything that one side heard, case by case. */
export async function play(side: Side, options: PlayOptions): Promise<readonly Report[]> {
  const { version, seed, oneIn, parts = ["corpus"], only = "", folder, database = DATABASE } = options;
  const server = { host: "127.0.0.1", port: side.postgres.port, user: side.user, database };
  const job: Job = { server, version, seed, oneIn, parts, only, waitMs: WAIT_MS };
  const file = join(folder, `job-${side.name}.json`);
  writeFileSync(file, JSON.stringify(job));
  const argv = [process.execPath, ...FLAGS, CLIENT, file];
  const { code, stdout, stderr } = await side.run(argv, { timeoutMs: PLAY_LIMIT_MS });
  if (code !== 0) throw new Error(`The client of the ${side.name} side ended with ${code}: ${stderr}`);
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Report);
}

export function differencesOf(direct: readonly Report[], guarded: readonly Report[]): readonly Difference[] {
  if (direct.length !== guarded.length)
    throw new Error(`${direct.length} cases on one side, ${guarded.length} on the other`);
  return direct.flatMap((one, at) => {
    const other = guarded[at] as Report;
    if (one.name !== other.name) throw new Error(`Cannot compare ${one.name} with ${other.name}`);
    const fault = one.fault ?? other.fault;
    if (fault !== undefined) return [{ name: one.name, direct: one.fault ?? "", guarded: other.fault ?? "" }];
    const apart = one.heard.findIndex((heard, connection) => !isSame(heard, other.heard[connection]));
    if (apart < 0 && one.heard.length === other.heard.length) return [];
    const [a, b] = [one.heard[apart], other.heard[apart]];
    return [{ name: one.name, ...firstApart(a, b) }];
  });
}

/** Reports of the corpus, and of what is stated to differ. */
export function apartFromStated(
  reports: readonly Report[],
): readonly [corpus: readonly Report[], stated: readonly Report[]] {
  const isStated = ({ name }: Report) => name.startsWith(STATED_PREFIX);
  return [reports.filter((report) => !isStated(report)), reports.filter(isStated)];
}

/** What is not as it is stated. */
export function misstated(direct: readonly Report[], guarded: readonly Report[]): readonly string[] {
  return direct.flatMap((one, at) => {
    const other = guarded[at];
    const own = STATED.find(({ name }) => STATED_PREFIX + name === one.name);
    if (own === undefined || other?.name !== one.name) throw new Error(`Cannot find what is stated of ${one.name}`);
    const [a, b] = [saidBy(one), saidBy(other)];
    if (a !== own.direct.join(", ")) return [`${own.name}: the server says ${a || "no error"}`];
    if (b !== own.guarded.join(", ")) return [`${own.name}: Sallyport says ${b || "no error"}`];
    return differencesOf([one], [other]).length === 0 ? [`${own.name}: is equal now`] : [];
  });
}

/** SQLSTATEs with our rules, and remarks; of all connections in their order. */
function saidBy({ heard, fault }: Report): string {
  const all = heard.flatMap(({ codes, head, remarks, end }) => {
    const rules = [
      ...Buffer.from(head, "base64")
        .toString("latin1")
        .matchAll(/\0Drule (built-in:[a-z-]+),/g),
    ];
    const said = codes.map((code, at) => `${code}${rules[at] === undefined ? "" : ` ${rules[at][1]}`}`);
    return [...said, ...remarks, ...(end === "stuck" ? ["stuck"] : [])];
  });
  return [...all, ...(fault === undefined ? [] : [fault])].join(", ");
}

function isSame(one: Heard, other: Heard | undefined): boolean {
  if (other === undefined) return false;
  if (one.end === "stuck") return false;
  return (
    one.connection === other.connection &&
    one.length === other.length &&
    one.sha256 === other.sha256 &&
    one.end === other.end
  );
}

function firstApart(a: Heard | undefined, b: Heard | undefined): { readonly direct: string; readonly guarded: string } {
  const [one, other] = [wordsOf(a), wordsOf(b)];
  const at = one.findIndex((word, place) => word !== other[place]);
  const shown = (words: readonly string[], heard: Heard | undefined) =>
    `${heard?.connection}: ${at < 0 ? "…" : words.slice(Math.max(0, at - 1), at + 2).join(" | ")} [${heard?.types}, ${heard?.length} bytes, ${heard?.end}]`;
  return { direct: shown(one, a), guarded: shown(other, b) };
}

function wordsOf(heard: Heard | undefined): readonly string[] {
  const bytes = Buffer.from(heard?.head ?? "", "base64");
  let whole = 0;
  while (whole + 5 <= bytes.length && whole + 1 + bytes.readUInt32BE(whole + 1) <= bytes.length) {
    whole += 1 + bytes.readUInt32BE(whole + 1);
  }
  return messagesIn(bytes.subarray(0, whole)).map(({ type, body }) => `${type} ${printable(body)}`);
}

function printable(body: Buffer): string {
  return JSON.stringify(body.toString("latin1", 0, 240)).slice(1, -1);
}
