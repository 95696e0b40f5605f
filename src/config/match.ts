/** What makes a cgroup an agent by itself: matchers as settings write them, as plain values. Looks at no cgroup. */
import type { Matcher } from "../model/matcher.ts";
import { checkDistinct, invalid, record } from "./meaning.ts";
import { type Finding, formatPath, type Path } from "./problems.ts";

type Labels = string | Readonly<Record<string, string>>;

export interface RawMatcher {
  readonly unit?: string;
  readonly cgroup?: string;
  readonly user?: string;
  readonly container?: { readonly name?: string; readonly image?: string; readonly label?: Labels };
}

/** What the kernel keeps for cgroups that are yet to be born. */
const BIRTHS_MAX = 64;
const GLOB_BYTES_MAX = 127;
/** Tags are searched for in this many levels below the root. */
const CGROUP_LEVELS_MAX = 15;
/** Source: systemd.unit(5), of the kinds that have a cgroup. */
const UNIT = /\.(service|scope|slice|socket|mount|swap)$|\*$/;

/** One matcher or a list of them; what is wrong with one goes to `report`. */
export function readMatchers(
  raw: RawMatcher | readonly RawMatcher[] | undefined,
  path: Path,
  report: (finding: Finding) => void,
): readonly Matcher[] {
  if (raw === undefined) return [];
  if (!isList(raw)) return present([readMatcher(raw, path, report)]);
  return present(raw.map((one, index) => readMatcher(one, [...path, index], report)));
}

/** Two agents may not want the same cgroup, and the kernel holds only so many patterns. */
export function checkMatchers(agents: readonly (readonly Matcher[])[], report: (finding: Finding) => void): void {
  const entries = agents.flatMap((matchers, index) =>
    matchers.map((matcher) => ({ key: JSON.stringify(matcher), path: ["agents", index, "match"] })),
  );
  checkDistinct(entries, (first) => `has a matcher that ${formatPath(first.slice(0, 2))} has too`, report);
  const births = agents.flat().filter(({ kind }) => kind !== "container").length;
  if (births <= BIRTHS_MAX) return;
  const message = `have ${births} matchers of units, cgroups and users together, and the kernel holds ${BIRTHS_MAX}`;
  report(invalid(["agents"], "key", `${message}; join some with *`));
}

function readMatcher(raw: RawMatcher, path: Path, report: (finding: Finding) => void): Matcher | undefined {
  const { unit, cgroup, user, container } = raw;
  if (Object.keys(raw).length > 1) {
    report(invalid(path, "value", "has two kinds of matcher; write them as a list, of which any may match"));
    return undefined;
  }
  const wrong = (key: string, message: string) => {
    report(invalid([...path, key], "value", message));
    return undefined;
  };
  if (unit !== undefined) {
    if (unit.includes("/")) return wrong("unit", "must be the name of a unit, without a path");
    if (/^\*+$/.test(unit)) return wrong("unit", "would make every unit of this host an agent; name some");
    if (!UNIT.test(unit)) return wrong("unit", 'must be a whole name, e.g. "actions.runner.*.service"');
    return short(unit) ? { kind: "unit", glob: unit } : wrong("unit", tooLong());
  }
  if (cgroup !== undefined) {
    const problem = cgroupProblem(cgroup);
    return problem === undefined ? { kind: "cgroup", glob: cgroup } : wrong("cgroup", problem);
  }
  if (user !== undefined) return { kind: "user", name: user };
  const { name, image, label } = container ?? {};
  return { kind: "container", name, image, labels: readLabels(label) };
}

function cgroupProblem(glob: string): string | undefined {
  const steps = glob.slice(1).split("/");
  if (!glob.startsWith("/")) return 'must be a path from the root of the cgroup v2 tree, e.g. "/jobs/*"';
  if (steps.some((step) => step === "" || step === "." || step === ".."))
    return "must be a plain path: no //, no . or .., no / at its end";
  if (steps.length === 1 && /^\*+$/.test(steps[0] ?? "")) return "would make every process of this host an agent";
  if (steps.length > CGROUP_LEVELS_MAX) return `must have at most ${CGROUP_LEVELS_MAX} steps`;
  return short(glob) ? undefined : tooLong();
}

/** "key=value", "key" for any value, or a mapping of several that must all match. */
function readLabels(label: Labels | undefined): Readonly<Record<string, string>> {
  if (label === undefined) return record<string>([]);
  if (typeof label !== "string") return record(Object.entries(label));
  const [, key = label, value = "*"] = /^([^=]*)=(.*)$/.exec(label) ?? [];
  return record([[key, value]]);
}

function isList(raw: RawMatcher | readonly RawMatcher[]): raw is readonly RawMatcher[] {
  return Array.isArray(raw);
}

function present(matchers: readonly (Matcher | undefined)[]): readonly Matcher[] {
  return matchers.filter((matcher) => matcher !== undefined);
}

function short(glob: string): boolean {
  return Buffer.byteLength(glob) <= GLOB_BYTES_MAX;
}

function tooLong(): string {
  return `must be at most ${GLOB_BYTES_MAX} bytes`;
}
