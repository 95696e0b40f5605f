/**
 * From a query to SQL over the index. Every value is bound; the text of a statement is made of nothing but what stands in
 * this file. Chooses what to walk by how much of it there is, so that a rare fact is not found by reading all the common ones.
 */
import { UserError } from "../base/errors.ts";
import { SEARCH_VALUES_MAX } from "../base/limits.ts";
import { detectorsNamed } from "../masking/mask.ts";
import { TOO_LONG_BY } from "../model/mask.ts";
import type { SqlValue, Statements } from "../store/database.ts";
import { ANY } from "./facets.ts";
import type { Query, Term, Words } from "./query.ts";

export interface Sql {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** Numbers of words of the index: any of them fits. */
interface Facts {
  readonly words: readonly number[];
  readonly isNegated: boolean;
}

export interface Compiled {
  /** Of a subject `s`: who, and when it lived. */
  readonly subjects: Sql;
  /** `FROM … WHERE …` of entries `e` with their subjects `s`. */
  readonly entries: Sql;
  /** The number of an entry as `entries` walks it: what it is sorted and continued by without reading all of it. */
  readonly order: string;
  /** Of findings `f`: those that were asked about. */
  readonly findings: Sql;
  /** Whether something is asked that only an entry can answer. */
  readonly asksEntries: boolean;
  /** Detectors by name, and whether values are asked about at all. */
  readonly detectors: readonly string[];
  readonly asksValues: boolean;
}

/** Terms that tell who; all others tell what was done. */
const WHO = new Set(["agent", "group", "connection", "protocol", "session", "pid", "uid", "user", "exe"]);
const VALUES = new Set(["detector", "label", "value"]);
/** As much is counted of each fact, and of words, to choose by. */
const COUNTED_MAX = 5_000;
const HITS_COUNTED_MAX = 50_000;
const SUBJECTS_FEW = 200;
/** To ask full text whether it holds one entry costs as much as walking so many. */
const MATCH_COST = 30;

export async function compile(query: Query, database: Statements): Promise<Compiled> {
  const { sinceMs, untilMs } = query;
  const terms = query.terms.map(expanded);
  const who = terms.filter(isWho);
  const what = terms.filter((term) => !isWho(term));
  const whoFacts = await Promise.all(who.map((term) => factsOf(term, database)));
  const whatFacts = await Promise.all(what.map((term) => factsOf(term, database)));
  const words = matchOf(query.words.filter(({ isNegated }) => !isNegated));
  const without = query.words.filter(({ isNegated }) => isNegated).map((one) => matchOf([one]));
  const findings = findingsSql(terms);

  const whoSql = and(whoFacts.map((facts) => factSql(facts, "subject_facets", "subject", "s.n")));
  const subjects = and([
    whoSql,
    ...(sinceMs === undefined ? [] : [sql("coalesce(s.ended_ms, 9e15) >= ?", sinceMs)]),
    ...(untilMs === undefined ? [] : [sql("s.started_ms <= ?", untilMs)]),
  ]);
  const walk = await walkOf(words, whatFacts, whoFacts, database);
  const checks = and([
    whoSql,
    ...whatFacts.filter((facts) => facts !== walk.facts).map((facts) => factSql(facts, "facets", "entry", "e.n")),
    ...(words === undefined || walk.isText ? [] : [matchSql(words, "EXISTS")]),
    ...without.flatMap((match) => (match === undefined ? [] : [matchSql(match, "NOT EXISTS")])),
    ...(sinceMs === undefined ? [] : [sql("e.last_ms >= ?", sinceMs)]),
    ...(untilMs === undefined ? [] : [sql("e.at_ms <= ?", untilMs)]),
    // A value of one kind and a fate of another do not make a finding.
    ...(findings.text === "1" || !terms.some(({ term, isNegated }) => term === "value" && !isNegated)
      ? []
      : [
          {
            text: `EXISTS (SELECT 1 FROM findings f WHERE f.entry = e.n AND ${findings.text})`,
            values: findings.values,
          },
        ]),
  ]);
  return {
    subjects,
    entries: { text: `${walk.sql.text} AND ${checks.text}`, values: [...walk.sql.values, ...checks.values] },
    order: walk.order ?? "e.n",
    findings,
    asksEntries: what.length > 0 || query.words.length > 0,
    asksValues: terms.some(({ term, isNegated }) => VALUES.has(term) && !isNegated),
    detectors: what.flatMap(({ term, values, isNegated }) =>
      term === "detector" && !isNegated ? values.flatMap(({ text }) => (text === TOO_LONG_BY ? [] : [text])) : [],
    ),
  };
}

function isWho({ term }: Term): boolean {
  return WHO.has(term) || term.startsWith("claim.");
}

/**
 * "secret" is several detectors, and where nobody looked any of them may have had something to find; a table with its
 * schema may have been named without.
 */
function expanded(term: Term): Term {
  if (term.term === "detector") {
    const named = new Set(detectorsNamed(term.values.map(({ text }) => text)));
    if (!term.isNegated) named.add(TOO_LONG_BY);
    return { ...term, values: [...named].map((text) => ({ text, isPrefix: false })) };
  }
  if (term.term !== "table") return term;
  const unnamed = term.values.flatMap(({ text, isPrefix }) => {
    const dot = text.indexOf(".");
    return dot < 0 ? [] : [{ text: `${ANY}${text.slice(dot)}`, isPrefix }];
  });
  return { ...term, values: [...term.values, ...unnamed] };
}

async function factsOf({ term, values, isNegated }: Term, database: Statements): Promise<Facts> {
  const words: number[] = [];
  for (const { text, isPrefix } of values) {
    const found = isPrefix
      ? await database.all<{ n: number }>("SELECT n FROM words WHERE term = ? AND value >= ? AND value < ? LIMIT ?", [
          ...[term, text, `${text}\u{10ffff}`, SEARCH_VALUES_MAX + 1],
        ])
      : await database.all<{ n: number }>("SELECT n FROM words WHERE term = ? AND value = ?", [term, text]);
    words.push(...found.map(({ n }) => n));
    if (words.length > SEARCH_VALUES_MAX) {
      const message = `Cannot search: ${term}:${text}* stands for more than ${SEARCH_VALUES_MAX} values`;
      throw new UserError("SEARCH_QUERY", message, "Write more of the value", { exitCode: 2 });
    }
  }
  return { words, isNegated };
}

interface Walk {
  readonly sql: Sql;
  readonly facts?: Facts;
  readonly isText?: true;
  readonly order?: string;
}

/** What is walked: the rarest of what must be there. What is common is walked from the newest on, and left early. */
async function walkOf(
  words: string | undefined,
  what: readonly Facts[],
  who: readonly Facts[],
  database: Statements,
): Promise<Walk> {
  const walks: { readonly cost: number; readonly walk: Walk }[] = [];
  const each = words === undefined ? 1 : MATCH_COST;
  const count = async (inner: string, values: readonly SqlValue[], most = COUNTED_MAX) =>
    (await database.one<{ n: number }>(`SELECT count(*) AS n FROM (${inner} LIMIT ${most})`, values))?.n ?? 0;
  for (const facts of what) {
    if (facts.isNegated) continue;
    const list = JSON.stringify(facts.words);
    const rows = await count("SELECT 1 FROM facets WHERE word IN (SELECT value FROM json_each(?))", [list]);
    const [only] = facts.words;
    if (rows < COUNTED_MAX) {
      const text = `FROM entries e JOIN subjects s ON s.n = e.subject
        WHERE e.n IN (SELECT entry FROM facets WHERE word IN (SELECT value FROM json_each(?)))`;
      walks.push({ cost: rows * each, walk: { facts, sql: sql(text, list) } });
    } else if (facts.words.length === 1 && only !== undefined) {
      const text = `FROM facets d CROSS JOIN entries e ON e.n = d.entry CROSS JOIN subjects s ON s.n = e.subject
        WHERE d.word = ?`;
      walks.push({ cost: rows * each, walk: { facts, sql: sql(text, only), order: "d.entry" } });
    }
  }
  if (words !== undefined) {
    const rows = await count("SELECT 1 FROM texts WHERE texts MATCH ?", [words], HITS_COUNTED_MAX);
    const text = `FROM texts d CROSS JOIN entries e ON e.n = d.rowid CROSS JOIN subjects s ON s.n = e.subject
      WHERE texts MATCH ?`;
    walks.push({ cost: rows, walk: { isText: true, sql: sql(text, words), order: "d.rowid" } });
  }
  for (const { words: of, isNegated } of who) {
    if (isNegated) continue;
    const list = JSON.stringify(of);
    const subjects = "SELECT subject FROM subject_facets WHERE word IN (SELECT value FROM json_each(?))";
    const many = await database.all(`${subjects} LIMIT ${SUBJECTS_FEW + 1}`, [list]);
    if (many.length > SUBJECTS_FEW) continue;
    const rows = await count(`SELECT 1 FROM entries WHERE subject IN (${subjects})`, [list]);
    const text = `FROM entries e JOIN subjects s ON s.n = e.subject WHERE e.subject IN (${subjects})`;
    if (rows < COUNTED_MAX) walks.push({ cost: rows * each, walk: { sql: sql(text, list) } });
  }
  const best = walks.toSorted((left, right) => left.cost - right.cost)[0];
  return best?.walk ?? { sql: sql("FROM entries e CROSS JOIN subjects s ON s.n = e.subject WHERE 1") };
}

function factSql({ words, isNegated }: Facts, table: "facets" | "subject_facets", key: string, of: string): Sql {
  if (words.length === 0) return sql(isNegated ? "1" : "0");
  const exists = isNegated ? "NOT EXISTS" : "EXISTS";
  const [only] = words;
  if (words.length === 1 && only !== undefined) {
    return sql(`${exists} (SELECT 1 FROM ${table} x WHERE x.word = ? AND x.${key} = ${of})`, only);
  }
  const text = `${exists} (SELECT 1 FROM json_each(?) j JOIN ${table} x ON x.word = j.value AND x.${key} = ${of})`;
  return sql(text, JSON.stringify(words));
}

function matchSql(match: string, exists: "EXISTS" | "NOT EXISTS"): Sql {
  return sql(`${exists} (SELECT 1 FROM texts WHERE texts MATCH ? AND rowid = e.n)`, match);
}

/** Quoted, so that nothing in it is an operator. Source: SQLite, "Full-text Query Syntax". */
function matchOf(words: readonly Words[]): string | undefined {
  if (words.length === 0) return undefined;
  return words.map(({ text, isPrefix }) => `"${text.replaceAll('"', '""')}"${isPrefix ? " *" : ""}`).join(" AND ");
}

/** "1" where nothing is asked of values. */
function findingsSql(terms: readonly Term[]): Sql {
  const parts: Sql[] = [];
  const by = terms.filter(({ term, isNegated }) => (term === "detector" || term === "label") && !isNegated);
  if (by.length > 0)
    parts.push(or(by.flatMap(({ term, values }) => values.map((value) => valueSql("f.by", `${term}:`, value)))));
  for (const { term, values, isNegated } of terms) {
    if (isNegated) continue;
    if (term === "column" && by.length > 0) {
      parts.push(
        or(
          values.flatMap((value) => [
            valueSql("f.col", "", value),
            valueSql("substr(f.col, instr(f.col, '.') + 1)", "", value),
          ]),
        ),
      );
    }
    if (term !== "value") continue;
    const fates = values.map(({ text }) => sql(text.startsWith("m") ? "f.masked > 0" : "f.shown > 0"));
    parts.push(or(fates));
  }
  return and(parts);
}

function valueSql(column: string, before: string, { text, isPrefix }: Term["values"][number]): Sql {
  const from = `${before}${text}`;
  return isPrefix ? sql(`(${column} >= ? AND ${column} < ?)`, from, `${from}\u{10ffff}`) : sql(`${column} = ?`, from);
}

export function sql(text: string, ...values: readonly SqlValue[]): Sql {
  return { text, values };
}

function and(parts: readonly Sql[]): Sql {
  return joined(parts, " AND ", "1");
}

function or(parts: readonly Sql[]): Sql {
  const { text, values } = joined(parts, " OR ", "0");
  return { text: `(${text})`, values };
}

function joined(parts: readonly Sql[], by: string, none: string): Sql {
  if (parts.length === 0) return sql(none);
  return { text: parts.map(({ text }) => text).join(by), values: parts.flatMap(({ values }) => values) };
}
