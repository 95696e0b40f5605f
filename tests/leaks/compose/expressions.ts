/** Random expressions that keep what they are made of: a value goes in and comes out as something else. */
import type { Random } from "./random.ts";

export type Kind = "text" | "number" | "date" | "jsonb" | "json" | "array" | "bytea" | "row" | "xml" | "other";

export interface Expression {
  readonly sql: string;
  readonly kind: Kind;
  /** Depends on a labelled column. */
  readonly labelled: boolean;
}

type Step = readonly [to: Kind, make: (e: string) => string];

const OF_TEXT: readonly Step[] = [
  ...[
    (e: string) => `upper(${e})`,
    (e: string) => `lower(${e})`,
    (e: string) => `initcap(${e})`,
    (e: string) => `(${e} || '')`,
    (e: string) => `('x' || ${e})`,
    (e: string) => `concat(${e}, '.', 1)`,
    (e: string) => `concat_ws('/', 'a', ${e})`,
    (e: string) => `textcat(${e}, '')`,
    (e: string) => `reverse(${e})`,
    (e: string) => `replace(${e}, '-', '')`,
    (e: string) => `translate(${e}, '-', '/')`,
    (e: string) => `regexp_replace(${e}, '-', '.')`,
    (e: string) => `left(${e}, 12)`,
    (e: string) => `right(${e}, 9)`,
    (e: string) => `substr(${e}, 2)`,
    (e: string) => `substring(${e} from 1 for 14)`,
    (e: string) => `overlay(${e} placing '' from 1 for 1)`,
    (e: string) => `format('%s', ${e})`,
    (e: string) => `quote_literal(${e})`,
    (e: string) => `trim(both ' ' from ${e})`,
    (e: string) => `lpad(${e}, 40)`,
    (e: string) => `repeat(${e}, 2)`,
    (e: string) => `greatest(${e}, '')`,
    (e: string) => `least(${e}, 'zzzz')`,
    (e: string) => `nullif(${e}, '')`,
    (e: string) => `coalesce(${e}, '-')`,
    (e: string) => `${e}::varchar(90)`,
    (e: string) => `encode(convert_to(${e}, 'UTF8'), 'hex')`,
    (e: string) => `encode(convert_to(${e}, 'UTF8'), 'base64')`,
    (e: string) => `array_to_string(string_to_array(${e}, '-'), ',')`,
    (e: string) => `split_part(${e}, '!', 1)`,
    (e: string) => `convert_from(convert_to(${e}, 'UTF8'), 'UTF8')`,
  ].map((make): Step => ["text", make]),
  ["json", (e) => `to_json(${e})`],
  ["jsonb", (e) => `to_jsonb(${e})`],
  ["jsonb", (e) => `jsonb_build_object('k', ${e})`],
  ["jsonb", (e) => `jsonb_build_array(1, ${e}, NULL)`],
  ["json", (e) => `json_build_object('a', ${e}, 'b', 1)`],
  ["array", (e) => `ARRAY[${e}, 'x']`],
  ["array", (e) => `string_to_array(${e}, '-')`],
  ["array", (e) => `array_append(ARRAY['x'], ${e})`],
  ["array", (e) => `array_prepend(${e}, ARRAY['x'])`],
  ["row", (e) => `ROW(1, ${e})`],
  ["xml", (e) => `xmlelement(name v, ${e})`],
  ["xml", (e) => `xmlforest(${e} AS v, 1 AS w)`],
  ["bytea", (e) => `convert_to(${e}, 'UTF8')`],
];

const STEPS: Readonly<Record<Kind, readonly Step[]>> = {
  text: OF_TEXT,
  number: [
    ["number", (e) => `(${e} + 0)`],
    ["number", (e) => `(${e} * 1)`],
    ["number", (e) => `abs(${e})`],
    ["number", (e) => `greatest(${e}, 0)`],
    ["number", (e) => `coalesce(${e}, 0)`],
    ["number", (e) => `${e}::numeric`],
    ["text", (e) => `${e}::text`],
    ["text", (e) => `to_char(${e}, 'FM99999999999999999999')`],
    ["jsonb", (e) => `to_jsonb(${e})`],
    ["json", (e) => `json_build_array(${e})`],
    ["row", (e) => `ROW(${e})`],
  ],
  date: [
    ["date", (e) => `coalesce(${e}, ${e})`],
    ["text", (e) => `${e}::text`],
    ["text", (e) => `to_char(${e}, 'YYYY/MM/DD HH24:MI:SS.US')`],
    ["number", (e) => `extract(year FROM ${e})`],
    ["json", (e) => `to_json(${e})`],
    ["row", (e) => `ROW(${e}, 1)`],
  ],
  jsonb: [
    ["text", (e) => `(${e} #>> '{}')`],
    ["text", (e) => `${e}::text`],
    ["text", (e) => `jsonb_pretty(${e})`],
    ["jsonb", (e) => `jsonb_build_array(${e})`],
    ["jsonb", (e) => `jsonb_strip_nulls(${e})`],
    ["jsonb", (e) => `jsonb_build_object('deep', ${e}) -> 'deep'`],
    ["jsonb", (e) => `jsonb_set('{"a": 1}', '{a}', ${e})`],
  ],
  json: [
    ["text", (e) => `${e}::text`],
    ["jsonb", (e) => `${e}::jsonb`],
    ["json", (e) => `json_build_array(${e})`],
  ],
  array: [
    ["text", (e) => `${e}::text`],
    ["text", (e) => `array_to_string(${e}, ',')`],
    ["text", (e) => `(${e})[array_lower(${e}, 1)]::text`],
    ["array", (e) => `(${e})[1:9]`],
    ["array", (e) => `(${e} || ${e})`],
    ["json", (e) => `array_to_json(${e})`],
    ["jsonb", (e) => `to_jsonb(${e})`],
  ],
  bytea: [
    ["text", (e) => `encode(${e}, 'escape')`],
    ["text", (e) => `encode(${e}, 'base64')`],
    ["text", (e) => `${e}::text`],
    ["bytea", (e) => `(${e} || '')`],
  ],
  row: [
    ["text", (e) => `${e}::text`],
    ["json", (e) => `row_to_json(${e})`],
    ["jsonb", (e) => `to_jsonb(${e})`],
    ["text", (e) => `format('%s', ${e})`],
  ],
  xml: [
    ["text", (e) => `${e}::text`],
    ["xml", (e) => `xmlconcat(${e}, ${e})`],
    ["xml", (e) => `xmlelement(name w, ${e})`],
    ["text", (e) => `xmlserialize(content ${e} AS text)`],
  ],
  other: [
    ["text", (e) => `${e}::text`],
    ["other", (e) => `coalesce(${e}, ${e})`],
    ["json", (e) => `to_json(${e})`],
    ["row", (e) => `ROW(${e})`],
  ],
};

/** Some steps further. */
export function transformed(random: Random, start: Expression, steps: number): Expression {
  let { sql, kind } = start;
  for (let left = steps; left > 0; left--) {
    if (random.chance(0.12)) sql = around(random, sql, kind);
    const [to, make] = random.pick(STEPS[kind]);
    sql = make(bracketed(sql));
    kind = to;
  }
  return { sql, kind, labelled: start.labelled };
}

/** Keeps kind and value. */
function around(random: Random, sql: string, kind: Kind): string {
  return random.pick([
    () => `(SELECT ${sql})`,
    () => `CASE WHEN true THEN ${sql} END`,
    () => `CASE WHEN false THEN NULL ELSE ${sql} END`,
    () => (kind === "row" || kind === "array" ? `(SELECT ${sql} LIMIT 1)` : `(ARRAY[${sql}])[1]`),
    () => `(SELECT w.v FROM (SELECT ${sql} AS v) w)`,
  ])();
}

/** So that casts and subscripts hold on to the whole. */
function bracketed(sql: string): string {
  return /^[a-z_][\w.]*$/.test(sql) ? sql : `(${sql})`;
}

export function asText({ sql, kind, labelled }: Expression): Expression {
  return { sql: kind === "text" ? sql : `${bracketed(sql)}::text`, kind: "text", labelled };
}

/** An aggregate that keeps at least one of its values. */
export function aggregated(random: Random, expression: Expression): Expression {
  const { sql, kind, labelled } = expression;
  const of = (to: Kind, made: string): Expression => ({ sql: made, kind: to, labelled });
  const text = asText(expression).sql;
  return random.pick([
    () => of("text", `string_agg(${text}, ',')`),
    () => of("text", `max(${text})`),
    () => of("text", `min(${text})`),
    () => of("array", `array_agg(${text})`),
    () => of("text", `mode() WITHIN GROUP (ORDER BY ${text})`),
    () => of("text", `percentile_disc(0.5) WITHIN GROUP (ORDER BY ${text})`),
    () => of("text", `string_agg(DISTINCT ${text}, '|')`),
    () => of("json", `json_agg(${sql})`),
    () => of("jsonb", `jsonb_agg(${sql})`),
    () => of("jsonb", `jsonb_object_agg('k', ${text})`),
    () => of("xml", `xmlagg(xmlelement(name v, ${kind === "xml" ? sql : text}))`),
  ])();
}

export function windowed(random: Random, expression: Expression, order: string): Expression {
  const { sql } = asText(expression);
  const made = random.pick([
    () => `first_value(${sql}) OVER (ORDER BY ${order})`,
    () => `lag(${sql}, 0) OVER (ORDER BY ${order})`,
    () => `lead(${sql}, 1, ${sql}) OVER (ORDER BY ${order})`,
    () => `nth_value(${sql}, 1) OVER (ORDER BY ${order})`,
    () => `last_value(${sql}) OVER ()`,
    () => `max(${sql}) OVER (PARTITION BY 1)`,
    () => `string_agg(${sql}, '|') OVER (ORDER BY ${order})`,
    () => `min(${sql}) OVER (ORDER BY ${order} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)`,
  ])();
  return { sql: made, kind: "text", labelled: expression.labelled };
}
