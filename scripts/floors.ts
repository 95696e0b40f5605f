/**
 * Checks the floor plan of ARCHITECTURE.md: which folder may import which. A linter compares the words of an
 * import, this file the file that they lead to. Biome forbids the rest: I/O modules and `process` in floors 0-2,
 * import cycles. Run by the gate; prints each violation and exits 1 if there is one. Never changes a file.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

/** Folders of src/ from the ground up. What stands on one floor does not import its neighbours. */
export const FLOORS: readonly (readonly string[])[] = [
  ["base"],
  ["model"],
  ["protocols", "policy", "masking"],
  ["kernel", "containers", "store", "metrics"],
  ["identity", "names", "vault", "holds", "recorder", "audit"],
  ["evidence", "notify"],
  ["path", "control", "search"],
  ["config"],
  ["daemon"],
];
/** Files that lie in src/ itself see everything; but `config.ts` is the face of the folder `config`. */
const ROOF = FLOORS.length;
/** Up to here: no clock, no environment, no I/O. */
const PURE_FLOOR_MAX = 2;
const PERMIT = "model/permit.ts";
const MINT = "policy/decide.ts";
/** May import by a computed name, each with its reason. */
const COMPUTED: Readonly<Record<string, string>> = {
  "control/cli/main.ts": "`up` starts the daemon, which stands above the command line",
};

export interface Violation {
  /** Below src/. */
  readonly file: string;
  readonly message: string;
}

/** Every violation in the TypeScript files below `src`, sorted by file. */
export function findViolations(src: string): readonly Violation[] {
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .sort()
    .flatMap((file) =>
      violationsOf(file, readFileSync(join(src, file), "utf8"), src).map((message) => ({ file, message })),
    );
}

function violationsOf(file: string, text: string, src: string): readonly string[] {
  const code = withoutComments(text);
  const floor = floorOf(file);
  if (floor === undefined) return [`the folder ${folderOf(file)} is not in the floor plan (scripts/floors.ts)`];
  return [
    ...importsOf(code).flatMap((specifier) => importViolations(file, floor, specifier, src)),
    ...(COMPUTED[file] === undefined && /\bimport\s*\(\s*(?!["'])/.test(code)
      ? ["imports a module whose name is computed"]
      : []),
    ...mintViolations(file, code),
    ...(floor <= PURE_FLOOR_MAX ? clockViolations(code) : []),
  ];
}

function importViolations(file: string, floor: number, specifier: string, src: string): readonly string[] {
  if (!specifier.startsWith(".")) return [];
  const target = relative(src, resolve(src, dirname(file), specifier))
    .split(sep)
    .join("/");
  if (target.startsWith("..")) return [`imports ${specifier}, which lies outside src/`];
  const targetFloor = floorOf(target);
  if (targetFloor === undefined) return [`imports ${target}, whose folder is not in the floor plan`];
  if (folderOf(target) === folderOf(file) || targetFloor < floor) return [];
  const relation = targetFloor === floor ? "beside it on" : "above it, on";
  return [`imports ${target}, which stands ${relation} floor ${targetFloor}`];
}

/** Biome sees a named import; this sees every other way to the mint as well. */
function mintViolations(file: string, code: string): readonly string[] {
  if (file === PERMIT || file === MINT) return [];
  const found: string[] = [];
  const mint = /\bmint\w*Permit\b/.exec(code)?.[0];
  if (mint !== undefined) found.push(`names ${mint}, which only ${MINT} may`);
  if (/(\*\s*as\s+\w+\s+from\s*|\bimport\s*\(\s*|\*\s*from\s*)["'][^"']*\/permit\.ts["']/.test(code)) {
    found.push("takes permit.ts as a whole, and the mint with it");
  }
  return found;
}

function clockViolations(code: string): readonly string[] {
  const found: string[] = [];
  if (/\bDate\s*\.\s*now\b|\bnew\s+Date\s*(\(\s*\)|(?![\s(]))|(?<!new\s+)\bDate\s*\(/.test(code)) {
    found.push("reads the clock: time is handed in (base/clock.ts)");
  }
  if (/\bglobalThis\b/.test(code)) found.push("reaches for globalThis, and with it for what these floors do without");
  return found;
}

function folderOf(file: string): string {
  const slash = file.indexOf("/");
  if (slash >= 0) return file.slice(0, slash);
  const name = file.slice(0, -".ts".length);
  return FLOORS.some((folders) => folders.includes(name)) ? name : "";
}

function floorOf(file: string): number | undefined {
  const folder = folderOf(file);
  if (folder === "") return ROOF;
  const floor = FLOORS.findIndex((folders) => folders.includes(folder));
  return floor < 0 ? undefined : floor;
}

/** Specifiers of static imports, re-exports, side-effect imports and dynamic imports. */
function importsOf(code: string): readonly string[] {
  const form = /\b(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']|\bimport\s*(?:\(\s*)?["']([^"']+)["']/g;
  return [...code.matchAll(form)].map((match) => match[1] ?? match[2] ?? "");
}

/** Strings stay, since specifiers are strings; comments and template texts go, lest words in them count as code. */
function withoutComments(text: string): string {
  const piece = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\/\*[\s\S]*?\*\/|\/\/[^\n]*|`(?:\\.|[^`\\])*`/g;
  return text.replace(piece, (_whole, string: string | undefined) => string ?? " ");
}

if (import.meta.main) {
  const violations = findViolations(join(dirname(import.meta.dirname), "src"));
  for (const { file, message } of violations) console.error(`src/${file}: ${message}`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
