/** Plants violations of the floor plan in throw-away trees and demands that floors.ts and Biome find each. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { findViolations } from "../../scripts/floors.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Found by scripts/floors.ts. */
const floors = [
  { name: "an import from a higher floor", file: "base/a.ts", code: 'import { x } from "../model/b.ts";' },
  {
    name: "a type-only import from a higher floor",
    file: "model/a.ts",
    code: 'import type { X } from "../store/b.ts";',
  },
  { name: "a re-export from a higher floor", file: "policy/a.ts", code: 'export { x } from "../kernel/b.ts";' },
  { name: "a side-effect import from a higher floor", file: "vault/a.ts", code: 'import "../path/b.ts";' },
  { name: "a dynamic import from a higher floor", file: "store/a.ts", code: 'await import("../audit/b.ts");' },
  { name: "an import over several lines", file: "base/a.ts", code: 'import {\n  x,\n} from "../model/b.ts";' },
  { name: "protocols importing policy", file: "protocols/p/a.ts", code: 'import { x } from "../../policy/b.ts";' },
  { name: "protocols importing masking", file: "protocols/p/a.ts", code: 'import { x } from "../../masking/b.ts";' },
  { name: "policy importing protocols", file: "policy/a.ts", code: 'import { x } from "../protocols/index.ts";' },
  { name: "masking importing policy", file: "masking/a.ts", code: 'import { x } from "../policy/b.ts";' },
  { name: "control importing path", file: "control/cli/a.ts", code: 'import { x } from "../../path/b.ts";' },
  { name: "path importing control", file: "path/a.ts", code: 'import { x } from "../control/api/b.ts";' },
  {
    name: "a roundabout way to a higher floor",
    file: "base/a.ts",
    code: 'import { x } from "./../base/../path/b.ts";',
  },
  { name: "a folder importing a file of the roof", file: "path/a.ts", code: 'import { x } from "../main.ts";' },
  { name: "an import from outside src", file: "path/a.ts", code: 'import { x } from "../../tests/kit/b.ts";' },
  { name: "a computed import", file: "path/a.ts", code: "await import(name);" },
  { name: "a folder without a floor", file: "helpers/a.ts", code: "export const x = 1;" },
  { name: "a second mint", file: "path/a.ts", code: 'import { mintPermit } from "../model/permit.ts";' },
  {
    name: "a mint under another name",
    file: "path/a.ts",
    code: 'import { mintPermit as m } from "../model/permit.ts";',
  },
  { name: "the mint by namespace", file: "path/a.ts", code: 'import * as all from "../model/permit.ts";' },
  { name: "the mint by dynamic import", file: "path/a.ts", code: 'await import("../model/permit.ts");' },
  { name: "the mint passed on", file: "model/a.ts", code: 'export * from "./permit.ts";' },
  { name: "Date.now in a pure floor", file: "protocols/p/a.ts", code: "export const x = Date.now();" },
  { name: "the time of day in a pure floor", file: "policy/a.ts", code: "export const x = new Date();" },
  { name: "Date called as a function", file: "policy/a.ts", code: "export const x = Date();" },
  { name: "globalThis in a pure floor", file: "masking/a.ts", code: "export const x = globalThis.process;" },
] as const;

for (const { name, file, code } of floors) {
  test(`floors.ts finds ${name}`, (t) => {
    const found = findViolations(plant(t, { [file]: code }));
    assert.deepEqual(
      found.map((violation) => violation.file),
      [file],
    );
  });
}

const good = [
  { name: "imports from lower floors", file: "path/a.ts", code: 'import { x } from "../policy/decide.ts";' },
  { name: "imports from its own folder", file: "policy/a.ts", code: 'import { x } from "./path/b.ts";' },
  { name: "the one mint", file: "policy/decide.ts", code: 'import { mintPermit } from "../model/permit.ts";' },
  { name: "a named import of the class", file: "path/a.ts", code: 'import { Permit } from "../model/permit.ts";' },
  { name: "the roof importing everything", file: "main.ts", code: 'import { x } from "./path/b.ts";' },
  {
    name: "a date made from a given number",
    file: "policy/a.ts",
    code: "export const x = (ms: number) => new Date(ms);",
  },
  { name: "the clock above the pure floors", file: "path/a.ts", code: "export const x = Date.now();" },
  { name: "an import inside a comment", file: "base/a.ts", code: '// import { x } from "../path/b.ts";' },
] as const;

for (const { name, file, code } of good) {
  test(`floors.ts accepts ${name}`, (t) => assert.deepEqual(findViolations(plant(t, { [file]: code })), []));
}

const pureFolders = ["base", "model", "protocols/p", "policy", "masking"] as const;
const ioModules = ["net", "tls", "fs", "fs/promises", "http", "https", "http2", "child_process", "dgram", "dns", "os"];

/** Found by Biome with the repository's own biome.json. */
const linted = [
  ...pureFolders.flatMap((folder) =>
    [...ioModules, "worker_threads", "perf_hooks", "process", "timers/promises"].map((module, index) => ({
      name: `node:${module} in ${folder}`,
      file: `${folder}/io-${index}.ts`,
      code: `import { x } from "node:${module}";\nexport const y = x;\n`,
      rule: "noRestrictedImports",
    })),
  ),
  ...pureFolders.flatMap((folder) => [
    {
      name: `process.env in ${folder}`,
      file: `${folder}/env.ts`,
      code: "export const x = process.env;\n",
      rule: "noProcessEnv",
    },
    {
      name: `process in ${folder}`,
      file: `${folder}/pid.ts`,
      code: "export const x = process.pid;\n",
      rule: "noRestrictedGlobals",
    },
    {
      name: `a timer in ${folder}`,
      file: `${folder}/timer.ts`,
      code: "export const x = () => setTimeout(() => {}, 1);\n",
      rule: "noRestrictedGlobals",
    },
    {
      name: `performance in ${folder}`,
      file: `${folder}/perf.ts`,
      code: "export const x = () => performance.now();\n",
      rule: "noRestrictedGlobals",
    },
  ]),
  ...["policy/other.ts", "path/mint.ts", "control/api/mint.ts", "main.ts"].map((file) => ({
    name: `mintPermit in ${file}`,
    file,
    code: `import { mintPermit } from "${file === "main.ts" ? "." : file.startsWith("control") ? "../.." : ".."}/model/permit.ts";\nexport const x = mintPermit;\n`,
    rule: "noRestrictedImports",
  })),
  {
    name: "node:fs in the mint",
    file: "policy/decide.ts",
    code: 'import { readFileSync } from "node:fs";\nexport const y = readFileSync;\n',
    rule: "noRestrictedImports",
  },
  {
    name: "a default export",
    file: "path/default.ts",
    code: "const x = 1;\nexport default x;\n",
    rule: "noDefaultExport",
  },
  { name: "a barrel", file: "path/barrel.ts", code: 'export * from "./mint.ts";\n', rule: "noReExportAll" },
  { name: "an enum", file: "path/enum.ts", code: "export enum E {\n  A = 0,\n}\n", rule: "noEnum" },
  { name: "any", file: "path/any.ts", code: "export const x = (y: any) => y;\n", rule: "noExplicitAny" },
  {
    name: "a non-null assertion",
    file: "path/non-null.ts",
    code: "export const x = (y?: string) => y!.length;\n",
    rule: "noNonNullAssertion",
  },
  {
    name: "a floating promise",
    file: "path/floating.ts",
    code: "async function work() {}\nexport function x() {\n  work();\n}\n",
    rule: "noFloatingPromises",
  },
  {
    name: "a switch that misses a case",
    file: "path/switch.ts",
    code: 'export function x(y: "a" | "b") {\n  switch (y) {\n    case "a":\n      return 1;\n  }\n  return 2;\n}\n',
    rule: "useExhaustiveSwitchCases",
  },
  {
    name: "one half of a cycle",
    file: "path/cycle-a.ts",
    code: 'import { b } from "./cycle-b.ts";\nexport const a = () => b;\n',
    rule: "noImportCycles",
  },
  {
    name: "its other half",
    file: "path/cycle-b.ts",
    code: 'import { a } from "./cycle-a.ts";\nexport const b = () => a;\n',
    rule: "noImportCycles",
  },
] as const;

/** The same forms where they are allowed: proves that the rules look at the place. */
const unlinted = [
  {
    name: "node:net in path",
    file: "path/net.ts",
    code: 'import { connect } from "node:net";\n\nexport const x = connect;\n',
  },
  { name: "process.env at the top", file: "start.ts", code: "export const x = process.env;\n" },
  {
    name: "node:crypto in masking",
    file: "masking/hash.ts",
    code: 'import { hash } from "node:crypto";\n\nexport const x = hash;\n',
  },
] as const;

test("Biome, with the settings of this repository,", async (t) => {
  const src = plant(t, Object.fromEntries([...linted, ...unlinted].map(({ file, code }) => [file, code])));
  const found = await lint(dirname(src));
  for (const { name, file, rule } of linted) {
    await t.test(`finds ${name}`, () => assert.ok(found.has(`src/${file} ${rule}`), `${rule} not reported`));
  }
  for (const { name, file } of unlinted) {
    await t.test(`accepts ${name}`, () => {
      assert.deepEqual(
        [...found].filter((finding) => finding.startsWith(`src/${file} `)),
        [],
      );
    });
  }
});

/** A src/ of its own with these files and the real model/permit.ts; gone when the test ends. */
function plant(t: { after(undo: () => void): void }, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-floors-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const src = join(folder, "src");
  mkdirSync(join(src, "model"), { recursive: true });
  cpSync(join(ROOT, "src/model/permit.ts"), join(src, "model/permit.ts"));
  for (const [file, code] of Object.entries(files)) {
    mkdirSync(dirname(join(src, file)), { recursive: true });
    writeFileSync(join(src, file), code);
  }
  return src;
}

/** "file rule" of every diagnostic. */
async function lint(folder: string): Promise<ReadonlySet<string>> {
  const settings = JSON.parse(readFileSync(join(ROOT, "biome.json"), "utf8"));
  writeFileSync(join(folder, "biome.json"), JSON.stringify({ ...settings, vcs: { enabled: false } }));
  const report = await new Promise<string>((resolve) => {
    const args = ["lint", "--reporter=github", "--max-diagnostics=none", "."];
    execFile(join(ROOT, "node_modules/.bin/biome"), args, { cwd: folder, maxBuffer: 1 << 24 }, (_bad, stdout) =>
      resolve(stdout),
    );
  });
  const form = /title=lint\/\w+\/(\w+),file=([^,]+),/g;
  return new Set([...report.matchAll(form)].map(([, rule, file]) => `${relative(folder, file ?? "")} ${rule}`));
}
