/**
 * Metrics as the Prometheus text format, version 0.0.4. Values in, text out; counts nothing.
 * Source: Prometheus documentation, "Exposition formats", text-based format.
 */
import type { Histogram } from "./instruments.ts";

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export interface Definition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  readonly labels: readonly string[];
}

export interface Reading {
  /** In the order of the definition's labels. */
  readonly labels: readonly string[];
  readonly value: number | Histogram;
}

export interface Metric {
  readonly definition: Definition;
  readonly readings: Iterable<Reading>;
}

export function exposition(metrics: Iterable<Metric>): string {
  const lines: string[] = [];
  for (const { definition, readings } of metrics) {
    const { name, type, help, labels } = definition;
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    for (const { labels: values, value } of readings) {
      const pairs = labels.map((label, at) => `${label}="${escapeValue(values[at] ?? "")}"`);
      if (typeof value === "number") lines.push(`${name}${braced(pairs)} ${numberText(value)}`);
      else lines.push(...histogramLines(name, pairs, value));
    }
  }
  return `${lines.join("\n")}\n`;
}

function histogramLines(name: string, pairs: readonly string[], histogram: Histogram): string[] {
  const counts = histogram.cumulative();
  const total = counts.at(-1) ?? 0;
  const bucket = (bound: string, count: number) => `${name}_bucket${braced([...pairs, `le="${bound}"`])} ${count}`;
  return [
    ...histogram.bounds.map((bound, at) => bucket(String(bound), counts[at] ?? 0)),
    bucket("+Inf", total),
    `${name}_sum${braced(pairs)} ${numberText(histogram.sum)}`,
    `${name}_count${braced(pairs)} ${total}`,
  ];
}

function braced(pairs: readonly string[]): string {
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
