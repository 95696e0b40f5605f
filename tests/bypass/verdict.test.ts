/** How a row is judged: what may count as closed, and what must not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Report, Try, Vector } from "./vector.ts";
import { TOPICS } from "./vectors.ts";
import { judge } from "./verdict.ts";

const VECTORS_MIN = 45;
const LIMITS = readFileSync(new URL("../../SECURITY.md", import.meta.url), "utf8");
const VECTORS = TOPICS.flatMap(({ vectors }) => vectors);

const vector: Vector = { name: "one", what: "does it", attack: "", closedBy: ["unlisted", "capability"] };
const stated: Vector = { ...vector, stated: [{ limit: "a known limit", remedy: "none" }] };
const status = { Seccomp: "0", CapEff: "0000000000000000" };
const failed = (step: string, errno: string, more: Report["status"] = {}): Report => ({
  status: { ...status, ...more },
  failed: { step, errno, error: "" },
  output: "",
});
const a = (
  seen: readonly string[],
  refusals: readonly string[] = [],
  report: Report = { status, output: "" },
): Try => ({
  token: "tkn",
  seen,
  refusals,
  report,
});
const SEEN = a(["a sink"]);

const ROWS = [
  { name: "a control that fails proves nothing", control: a([]), guarded: undefined, verdict: "not-possible" },
  { name: "a token at a sink is open", control: SEEN, guarded: a(["a sink"], ["unlisted"]), verdict: "open" },
  {
    name: "a refusal for the expected reason is closed",
    control: SEEN,
    guarded: a([], ["unlisted"]),
    verdict: "closed",
  },
  { name: "a refusal for another reason is open", control: SEEN, guarded: a([], ["quarantined"]), verdict: "open" },
  { name: "silence without any reason is open", control: SEEN, guarded: a([]), verdict: "open" },
  {
    name: "an attack that broke by itself is open",
    control: SEEN,
    guarded: a([], [], failed("x", "NameError")),
    verdict: "open",
  },
] as const;
for (const { name, control, guarded, verdict } of ROWS) {
  test(name, () => {
    const found = judge({ vector, place: "root", control, guarded, guard: "sallyport", limits: "" });
    assert.equal(found.kind, verdict);
  });
}

test("a stated limit must stand in SECURITY.md, and must be true", () => {
  const row = (guarded: Try, limits: string) =>
    judge({ vector: stated, place: "root", control: SEEN, guarded, guard: "sallyport", limits }).kind;
  assert.equal(row(SEEN, "there is a known limit"), "stated");
  assert.equal(row(SEEN, "there is none"), "open");
  assert.equal(row(a([], ["unlisted"]), "there is a known limit"), "open");
});

test("a missing capability is the reason only where it is missing", () => {
  const own: Vector = { ...vector, capability: "SYS_ADMIN" };
  const row = (bits: string) => {
    const guarded = a([], [], failed("mount", "EPERM", { CapEff: bits }));
    return judge({ vector: own, place: "root", control: SEEN, guarded, guard: "sallyport", limits: "" }).kind;
  };
  assert.equal(row("0000000000000000"), "closed");
  assert.equal(row("000001ffffffffff"), "open");
});

test("a closed door counts only for attacks on doors, and hides no other reason", () => {
  const row = (closedBy: readonly string[], report: Report) => {
    const guarded = a([], ["no-door"], report);
    const own: Vector = { ...vector, closedBy };
    return judge({ vector: own, place: "user", control: SEEN, guarded, guard: "sallyport", limits: "" });
  };
  const readOnly = failed("open", "EROFS");
  assert.deepEqual(row(["read-only"], readOnly), { kind: "closed", mechanism: "read-only" });
  assert.deepEqual(row(["no-door"], failed("connect", "EPERM")), { kind: "closed", mechanism: "no-door" });
  assert.equal(row(["unlisted"], readOnly).kind, "open");
  assert.equal(row(["unlisted"], { status, output: "" }).kind, "open");
});

test("a guard that never starts the attack has closed nothing", () => {
  const guarded = a([], [], { status: {}, output: "sh: not found" });
  for (const guard of ["sallyport", "another"] as const) {
    assert.equal(judge({ vector, place: "root", control: SEEN, guarded, guard, limits: "" }).kind, "open");
  }
});

test("another tool is only closed or open", () => {
  const row = (guarded: Try) =>
    judge({ vector: stated, place: "root", control: SEEN, guarded, guard: "another", limits: "a known limit" }).kind;
  assert.equal(row(a([])), "closed");
  assert.equal(row(SEEN), "open");
});

test(`there are at least ${VECTORS_MIN} vectors of different names and attacks`, () => {
  assert.ok(VECTORS.length >= VECTORS_MIN);
  assert.equal(new Set(VECTORS.map(({ name }) => name)).size, VECTORS.length);
  assert.equal(new Set(VECTORS.map(({ attack, start }) => `${start} ${attack}`)).size, VECTORS.length);
});

test("each vector expects a mechanism or states a limit that stands in SECURITY.md", () => {
  for (const { name, closedBy, stated: all = [] } of VECTORS) {
    assert.ok(closedBy.length > 0 || all.length > 0, name);
    for (const { limit } of all) assert.ok(LIMITS.includes(limit), `${name}: ${limit}`);
  }
});
