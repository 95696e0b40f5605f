/** The manual's list is the code's, and the alert rules speak of metrics that there are. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { CATALOGUE } from "../../src/metrics/catalogue.ts";
import { PHASES } from "../../src/metrics/meter.ts";

const DOCS = join(import.meta.dirname, "../../docs");
const MANUAL = readFileSync(join(DOCS, "metrics.md"), "utf8");
const metrics = Object.values(CATALOGUE);

test("docs/metrics.md lists each metric with its type, labels and meaning, and no other", () => {
  const listed = [...MANUAL.matchAll(/^\| `((?:sallyport|process)_\w+)` .*$/gm)].map(([row]) => row);
  const rows = metrics.map(({ name, type, labels, help }) => {
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`;
  });
  assert.deepEqual(listed, rows);
});

test("docs/metrics.md says what every label and every phase is", () => {
  const [, labels = ""] = MANUAL.split("## Labels\n");
  const said = new Set([...labels.matchAll(/`(\w+)`/g)].map(([, word]) => word));
  const names: string[] = metrics
    .flatMap((metric) => [...metric.labels])
    .filter((label) => !["phase", "version", "policy"].includes(label));
  assert.deepEqual(
    [...names, ...PHASES].filter((name) => !said.has(name)),
    [],
  );
});

test("names end as Prometheus has it: counters in _total, times in _seconds", () => {
  for (const { name, type } of metrics) assert.equal(name.endsWith("_total"), type === "counter", name);
  for (const { name, type } of metrics) if (type === "histogram") assert.match(name, /_seconds$/);
});

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

test("docs/alerts.yaml has the shape of Prometheus's rules and names only metrics and labels that there are", () => {
  const { groups } = parse(readFileSync(join(DOCS, "alerts.yaml"), "utf8")) as {
    groups: { name: string; rules: AlertRule[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  assert.ok(rules.length > 10);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  const labelsOf = new Map<string, readonly string[]>(
    metrics.flatMap(({ name, type, labels }): [string, readonly string[]][] =>
      type === "histogram"
        ? ["_bucket", "_sum", "_count"].map((end): [string, readonly string[]] => [`${name}${end}`, [...labels, "le"]])
        : [[name, labels]],
    ),
  );
  for (const { alert, expr, for: time, labels, annotations } of rules) {
    assert.match(alert, /^Sallyport[A-Z]\w+$/);
    if (time !== undefined) assert.match(time, /^\d+[smh]$/);
    assert.match(labels.severity, /^(critical|warning|info)$/);
    assert.ok(annotations.summary !== "" && annotations.description !== "");
    const used = [...expr.matchAll(/\b((?:sallyport|process)_\w+)(?:\{([^}]*)\})?/g)];
    if (alert !== "SallyportDown") assert.ok(used.length > 0, alert);
    for (const [, name = "", selector = ""] of used) {
      const known = labelsOf.get(name);
      assert.ok(known !== undefined, `${alert}: there is no metric ${name}`);
      for (const [, label = ""] of selector.matchAll(/(\w+)\s*[=!]/g)) {
        assert.ok([...known, "job"].includes(label), `${alert}: ${name} has no label ${label}`);
      }
    }
  }
});
