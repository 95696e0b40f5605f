/** The list of kinds is what the code emits, and what docs/events.md says. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { EVENT_KINDS, FIELD_GROUPS } from "../../src/audit/kinds.ts";
import { toOcsf } from "../../src/audit/ocsf.ts";
import { severityOf } from "../../src/audit/severity.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCS = `${ROOT}docs/events.md`;

/** Ways in which src/ writes a kind. */
const FORMS = [
  /\bkind: "([a-z]+\.[a-z.]+)"/g,
  /\b(?:say|#say|told\.event|this\.event)\(\s*"([a-z]+\.[a-z.]+)"/g,
  /\btell\(this\.sessionId, "([a-z]+\.[a-z.]+)"/g,
  /\btell\(parts, "([a-z]+\.[a-z.]+)"/g,
  /\brefuse\(client, parts, "([a-z]+\.[a-z.]+)"/g,
  /#tell\(asker, "([a-z]+\.[a-z.]+)"/g,
  /"(hold\.[a-z]+)"/g,
];
/** Kinds that are made of a prefix and a word: where, and which words there are. */
const MADE: Readonly<Record<string, readonly string[]>> = {
  "kernel.${": ["deny", "backstop", "socket", "bind", "unix", "redirect", "allow"].map((word) => `kernel.${word}`),
  "namespace.${": ["ready", "refused", "closed"].map((word) => `namespace.${word}`),
  "names.${": ["barred", "shared", "full"].map((word) => `names.${word}`),
};
/** Emitted by what signs and verifies evidence. */
const ELSEWHERE: ReadonlySet<string> = new Set(["evidence.checkpoint"]);

function emitted(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const file of globSync("src/**/*.ts", { cwd: ROOT })) {
    if (file === "src/audit/kinds.ts" || file === "src/audit/severity.ts") continue;
    const text = readFileSync(`${ROOT}${file}`, "utf8");
    for (const form of FORMS) for (const [, kind = ""] of text.matchAll(form)) found.add(kind);
    for (const [form, kinds] of Object.entries(MADE)) {
      if (text.includes(`\`${form}`)) for (const kind of kinds) found.add(kind);
    }
  }
  return found;
}

test("every kind that the code emits is in the list, and nothing else is", () => {
  const found = emitted();
  assert.ok(found.size > 40, `only ${found.size} were found: the search is broken`);
  const listed = new Set(Object.keys(EVENT_KINDS));
  assert.deepEqual([...found].filter((kind) => !listed.has(kind)).sort(), []);
  assert.deepEqual([...listed].filter((kind) => !found.has(kind) && !ELSEWHERE.has(kind)).sort(), []);
});

test("docs/events.md lists every kind with its class and fields", () => {
  const rows = readFileSync(DOCS, "utf8")
    .split("\n")
    .filter((line) => /^\| `[a-z]+\.[a-z.]+` \|/.test(line));
  const wanted = Object.entries(EVENT_KINDS).map(([kind, { about, fields, groups = [] }]) => {
    const event = toOcsf({ atMs: 0, kind, message: "" }, 1, { hostName: "h", version: "0" });
    const own = fields.map((field) => (field === "*" ? "of its own" : `\`${field}\``)).join(", ");
    const shared = groups.map((group) => `*${group}*`).join(", ");
    const all = [own, shared].filter(Boolean).join("; ");
    return `| \`${kind}\` | ${about} | ${event["class_uid"]} | ${severityOf(kind)} | ${all} |`;
  });
  assert.deepEqual(rows, wanted, `the table in ${DOCS} should be:\n${wanted.join("\n")}`);
});

test("docs/events.md lists the fields of each group", () => {
  const text = readFileSync(DOCS, "utf8");
  for (const [group, fields] of Object.entries(FIELD_GROUPS)) {
    const row = `| *${group}* | ${fields.map((field) => `\`${field}\``).join(", ")} |`;
    assert.ok(text.includes(row), row);
  }
});
