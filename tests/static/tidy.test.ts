/** House rules that no linter knows, each with a test of its own. They read the tree; they never change it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SUITES } from "../../scripts/test/suites.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const LINES_MAX = 400;

/** Files that may be longer, each with its reason. */
const LONG: Readonly<Record<string, string>> = {
  "src/base/limits.ts": "every maximum with its reason",
  "src/control/ports.ts": "what control asks of the daemon, port by port",
  "src/identity/humans/humans.ts": "the one face of humans: each call joins parts that know nothing of each other",
  "src/main.ts": "builds every part and joins them, one after the other",
  "src/path/driver.ts": "decide, record, settle, forward: the order is the promise, and stands in one place",
  "src/policy/evaluate.ts": "one closure per kind of CEL node; the switch is the evaluator",
  "src/protocols/postgres/analysis/conditions.ts": "one walk over the forms that a condition takes",
  "native/src/relay.cc": "one state machine: what may pass at each moment of a flow",
  "src/protocols/postgres/analysis/survey.ts": "one walk over the syntax tree; parts of it could not be read alone",
  "src/protocols/postgres/answers.ts": "one state machine: what each message of the server means to the next",
  "src/protocols/postgres/requests.ts": "what each message of a series means to those after it",
  "src/protocols/postgres/session.ts": "one state machine",
  "src/recorder/open-recording.ts": "one session's records from first to last, also while their file is lent",
  "tests/config/settings.test.ts": "rows",
  "tests/leaks/attacks/cursors.ts": "rows",
  "tests/leaks/attacks/reading.ts": "rows",
  "tests/control/api.test.ts": "rows and one server",
  "tests/control/cli.test.ts": "rows and one fake daemon",
  "tests/control/fake-daemon.ts": "one port after the other",
  "tests/evidence/tamper.test.ts": "rows",
  "tests/kit/attacks.ts": "rows",
  "tests/native/relay.test.ts": "rows and one stand",
  "tests/path/connection.test.ts": "one world, and every step of a connection through it",
  "tests/protocols/postgres/analysis.test.ts": "rows",
  "tests/protocols/postgres/extended.test.ts": "one playbook a row",
  "tests/system/relay-changes.test.ts": "what may change under a flow, one after the other",
  "tests/recorder/recorder.test.ts": "one recorder, killed and read in every way",
};

const sources = filesIn("src", ".ts");
const scripts = [...filesIn("scripts", ".ts"), ...filesIn("scripts", ".mjs")];
const tests = filesIn("tests", ".ts");
const bpf = [...filesIn("bpf", ".c"), ...filesIn("bpf", ".h")];
const native = [...filesIn("native", ".cc"), ...filesIn("native", ".h")];
const ours = [...sources, ...scripts, ...tests, ...bpf, ...native];

test("the rules look at files at all", () => {
  for (const found of [sources, scripts, tests, bpf, native]) assert.ok(found.length > 0);
});

test("every folder that has tests is a suite of the gate", () => {
  const folders = tests
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => file.split("/").slice(0, 2).join("/"));
  const suites = new Set(SUITES.map(({ folder }) => folder));
  assert.ok(folders.length > 0);
  assert.deepEqual(
    [...new Set(folders)].filter((folder) => !suites.has(folder)),
    [],
  );
});

test("every file of src/ and scripts/ starts with a comment that says what it is", () => {
  assert.deepEqual(
    [...sources, ...scripts].filter((file) => !/^(#![^\n]*\n)?(\/\*\*|\/\/)/.test(read(file))),
    [],
  );
});

test(`no file is longer than ${LINES_MAX} lines without a reason`, () => {
  const long = ours.filter((file) => read(file).split("\n").length > LINES_MAX + 1);
  assert.deepEqual(
    long.filter((file) => LONG[file] === undefined),
    [],
  );
});

test("every reason for a long file still has a long file", () => {
  assert.deepEqual(
    Object.keys(LONG).filter((file) => !ours.includes(file) || read(file).split("\n").length <= LINES_MAX + 1),
    [],
  );
});

test("every BPF file says that it is GPL-2.0", () => {
  const form = /^(\/\/|\/\*) SPDX-License-Identifier: GPL-2\.0/;
  assert.deepEqual(
    bpf.filter((file) => !form.test(read(file))),
    [],
  );
});

test("every C++ file says that it is Apache-2.0", () => {
  const form = /^(\/\/|\/\*) SPDX-License-Identifier: Apache-2\.0/;
  assert.deepEqual(
    native.filter((file) => !form.test(read(file))),
    [],
  );
});

test("nothing is left to do", () => {
  // Spelled apart, so that this file does not find itself.
  const marks = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
  assert.deepEqual(offenders(ours, marks), []);
});

test("no path of the machine that it was written on", () => {
  const folders = ["work/", "home/\\w", "root/", "tmp/\\w+/"];
  assert.deepEqual(offenders(ours, new RegExp(`["'\`\\s]/(${folders.join("|")})`)), []);
});

test("every maximum in base/limits.ts is used by src/", () => {
  const text = sources.filter((file) => file !== "src/base/limits.ts").map(read);
  const names = [...read("src/base/limits.ts").matchAll(/^export const (\w+)/gm)].map(([, name = ""]) => name);
  assert.ok(names.length > 0);
  assert.deepEqual(
    names.filter((name) => !text.some((other) => new RegExp(`\\b${name}\\b`).test(other))),
    [],
  );
});

test("every suppressed lint rule gives a reason", () => {
  assert.deepEqual(offenders([...sources, ...scripts, ...tests], /biome-ignore[^:\n]*(:\s*)?$/m), []);
});

test("no test is switched off or runs alone", () => {
  const form = /\b(test|it|describe)\.(only|todo)\b|\bonly: true/;
  assert.deepEqual(
    offenders(
      tests.filter((file) => !file.endsWith("tidy.test.ts")),
      form,
    ),
    [],
  );
});

function offenders(files: readonly string[], form: RegExp): readonly string[] {
  return files.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, index) => (form.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** Paths below the checkout; generated folders are not ours. */
function filesIn(folder: string, ending: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending) && !/(^|\/)(build|node_modules)\//.test(name))
    .map((name) => `${folder}/${name}`)
    .sort();
}
