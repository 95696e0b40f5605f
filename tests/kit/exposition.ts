/** A parser of the Prometheus text format of our own, strict: what it accepts, any client may. Shares nothing with what writes it. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedMetric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** By name. Throws at the first line that is not well-formed, comes twice, or belongs to no metric above it. */
export function parseExposition(text: string): ReadonlyMap<string, ParsedMetric> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const metrics = new Map<string, { name: string; type: string; help: string; samples: Sample[] }>();
  const seen = new Set<string>();
  let current: { name: string; type: string; help: string; samples: Sample[] } | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (help !== null) {
      const [, name = "", said = ""] = help;
      if (metrics.has(name)) throw new Error(`${name} comes twice`);
      current = { name, type: "", help: unescaped(said, /\\(.)/g), samples: [] };
      metrics.set(name, current);
      continue;
    }
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type !== null) {
      if (current?.name !== type[1] || current?.type !== "" || current.samples.length > 0)
        throw new Error(`out of place: ${line}`);
      current.type = type[2] ?? "";
      continue;
    }
    const sample = parseSample(line);
    if (current === undefined || current.type === "" || !belongs(sample.name, current))
      throw new Error(`out of place: ${line}`);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(key)) throw new Error(`comes twice: ${line}`);
    seen.add(key);
    current.samples.push(sample);
  }
  for (const metric of metrics.values()) checkMetric(metric);
  return metrics;
}

/** The value of one sample; 0 where there is none, as a counter that was never counted. */
export function sampled(
  metrics: ReadonlyMap<string, ParsedMetric>,
  name: string,
  labels: Sample["labels"] = {},
): number {
  const base = metrics.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
  const metric = metrics.get(base);
  if (metric === undefined) throw new Error(`there is no metric ${name}`);
  const wanted = Object.entries(labels);
  const fitting = metric.samples.filter(
    (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
  );
  return fitting.reduce((sum, { value }) => sum + value, 0);
}

function belongs(sample: string, { name, type }: { readonly name: string; readonly type: string }): boolean {
  if (type !== "histogram") return sample === name;
  return [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample);
}

function parseSample(line: string): Sample {
  const head = /^([a-zA-Z_:][a-zA-Z0-9_:]*)/.exec(line);
  if (head === null) throw new Error(`not a sample: ${line}`);
  const name = head[1] ?? "";
  const labels: Record<string, string> = {};
  let rest = line.slice(name.length);
  if (rest.startsWith("{")) {
    rest = rest.slice(1);
    for (;;) {
      const pair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/.exec(rest);
      if (pair === null) throw new Error(`not a label: ${line}`);
      const [whole, label = "", value = ""] = pair;
      if (Object.hasOwn(labels, label)) throw new Error(`a label twice: ${line}`);
      labels[label] = unescaped(value, /\\([\\"n])/g);
      rest = rest.slice(whole.length);
      if (rest.startsWith("}")) break;
      if (!rest.startsWith(",")) throw new Error(`not between labels: ${line}`);
      rest = rest.slice(1);
    }
    rest = rest.slice(1);
  }
  const value = /^ ([-+]?(?:Inf|NaN|(?:[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)))$/.exec(rest);
  if (value === null) throw new Error(`not a value: ${line}`);
  return { name, labels, value: Number((value[1] ?? "").replace("Inf", "Infinity")) };
}

function unescaped(text: string, form: RegExp): string {
  return text.replace(form, (_whole, letter: string) => (letter === "n" ? "\n" : letter));
}

function checkMetric({ name, type, help, samples }: ParsedMetric): void {
  if (type === "" || help === "") throw new Error(`${name} has no type or help`);
  if (type === "counter" && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} counts below zero`);
  if (type !== "histogram") return;
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _bound, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const [key, group] of groups) checkHistogram(`${name}${key}`, group);
}

function checkHistogram(what: string, group: readonly Sample[]): void {
  const buckets = group.filter(({ labels }) => labels["le"] !== undefined);
  const bounds = buckets.map(({ labels }) => Number(labels["le"]?.replace("+Inf", "Infinity")));
  const counts = buckets.map(({ value }) => value);
  if (!bounds.every((bound, at) => at === 0 || bound > (bounds[at - 1] ?? 0)))
    throw new Error(`${what}: bounds do not rise`);
  if (!counts.every((count, at) => at === 0 || count >= (counts[at - 1] ?? 0)))
    throw new Error(`${what}: buckets are not cumulative`);
  if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${what}: there is no bucket +Inf`);
  const count = group.find(({ name }) => name.endsWith("_count"))?.value;
  const sum = group.find(({ name }) => name.endsWith("_sum"))?.value;
  if (count !== counts.at(-1)) throw new Error(`${what}: the count is not that of +Inf`);
  if (sum === undefined || (count === 0 && sum !== 0)) throw new Error(`${what}: the sum is not one`);
}
