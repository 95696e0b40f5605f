/**
 * Statements that tell of a labelled value without showing it: by which rows come, in which order, how many, how long it
 * takes or whether there is an error. Policy can forbid them (`statement.oracles`); what cannot be forbidden by name is
 * stated with its remedy. Their answers must not hold a value all the same.
 */
import { LABEL_ORACLES } from "../kit/attacks.ts";
import { type Answer, answerOf, comparable, refusedBy, sighting } from "./answer.ts";
import { type Attack, rows, undone } from "./attack.ts";
import { canaries } from "./canaries.ts";
import { finder } from "./needles.ts";
import type { Talk, TalkReport } from "./speaker.ts";
import { type LeakWorld, STRICT, sharedOf, speakAsAgent, speakDirect, type Version } from "./world.ts";

const ORACLES: readonly Attack[] = [
  ...LABEL_ORACLES,
  ...rows([
    ["a row for each unit", "SELECT count(*) FROM vault v, generate_series(1, v.n % 97)"],
    ["rows that are there or not", "SELECT 1 WHERE EXISTS (SELECT FROM customers WHERE ssn LIKE '2%')"],
    ["an IN", "SELECT id FROM orders WHERE note IN (SELECT ssn FROM customers)"],
    ["a join on it", "SELECT c.id FROM customers c JOIN (VALUES ('219-09-9999')) v(x) ON v.x = c.ssn"],
    ["a join USING it", "SELECT a.id FROM customers a JOIN customers b USING (ssn)"],
    ["a NATURAL JOIN over it", "SELECT a.id FROM customers a NATURAL JOIN customers b"],
    ["an anti-join", "SELECT id FROM customers c WHERE NOT EXISTS (SELECT FROM customers d WHERE d.ssn > c.ssn)"],
    ["an order behind a view", "SELECT id FROM app.plain ORDER BY x"],
    ["a condition behind a view", "SELECT id FROM app.plain WHERE x > '4'"],
    ["a condition behind a sub-query", "SELECT i FROM (SELECT id AS i, ssn AS s FROM customers) q WHERE s > '4'"],
    ["a condition behind a CTE", "WITH q AS (SELECT id, ssn AS s FROM customers) SELECT id FROM q WHERE s > '4'"],
    ["an intersection", "SELECT id, ssn FROM customers INTERSECT SELECT 1, '219-09-9999'"],
    ["a CASE's condition", "SELECT CASE WHEN ssn > '4' THEN 'high' ELSE 'low' END FROM customers"],
    ["an error or none", "SELECT 1 / (ssn LIKE '2%')::int FROM customers"],
    ["an error or none, in a condition", "SELECT id FROM vault WHERE 1 / (n % 2) > 5"],
    ["a wait or none", "SELECT pg_sleep((ssn LIKE '2%')::int * 0.01) FROM customers"],
    ["an insert or none", undone("INSERT INTO stash SELECT 1 FROM customers WHERE ssn LIKE '2%'")],
    [
      "an update of another table",
      undone("UPDATE orders SET note = note FROM customers c WHERE c.ssn LIKE '2%' AND orders.id = c.id"),
    ],
    [
      "a MERGE's condition",
      undone("MERGE INTO orders o USING customers c ON c.ssn = o.note WHEN NOT MATCHED THEN DO NOTHING"),
    ],
    ["a lock or none", undone("SELECT id FROM customers WHERE ssn LIKE '2%' FOR UPDATE")],
    ["a jsonb condition", "SELECT id FROM vault WHERE doc @> '{\"pin\": 4093130652}'"],
    ["an array condition", "SELECT id FROM vault WHERE '32654074' = ANY (tags)"],
    ["a range condition", "SELECT id FROM vault WHERE span @> 1506596756"],
    ["a text search", "SELECT id FROM vault WHERE words @@ '42768601'::tsquery"],
    ["a date condition", "SELECT id FROM vault WHERE born < '1950-01-01'"],
    ["a composite's field", "SELECT id FROM vault WHERE (pair).no > 500000000"],
    ["a window's order", "SELECT id, row_number() OVER (ORDER BY n % 97) FROM vault"],
    ["a named window's order", "SELECT id, rank() OVER w FROM vault WINDOW w AS (ORDER BY born DESC)"],
    [
      "where a CYCLE ends",
      "WITH RECURSIVE r(i, x) AS (SELECT 1, n % 2 FROM vault UNION ALL SELECT i + 1, x FROM r) CYCLE x SET c USING p SELECT i FROM r",
    ],
    ["a count of what fits a pattern", "SELECT count(substring(ssn from '^2')) FROM customers"],
    [
      "rows of XMLTABLE by a path",
      `SELECT count(*) FROM customers c, XMLTABLE('/x[starts-with(., "2")]' PASSING xmlelement(name x, c.ssn) COLUMNS v text PATH '.') t`,
    ],
    ["a length that is too long", "SELECT length(lpad('x', n)) FROM vault"],
    ["a new check of a domain", undone("ALTER DOMAIN plate ADD CHECK (value > '3')")],
    ["COPY with a guess as NULL", "COPY (SELECT ssn FROM customers) TO STDOUT (NULL '219-09-9999')"],
    ["a window's frame", "SELECT id, count(*) OVER (ORDER BY n RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM vault"],
    ["COPY with a condition", "COPY (SELECT id FROM customers WHERE ssn > '4') TO STDOUT"],
    [
      "a cursor with a condition",
      undone("DECLARE c CURSOR FOR SELECT id FROM customers WHERE ssn > '4'; FETCH ALL FROM c"),
    ],
    [
      "a prepared condition",
      "PREPARE q(text) AS SELECT id FROM customers WHERE ssn > $1; EXECUTE q('4'); DEALLOCATE q",
    ],
    ["an order by a name that the server gives", "SELECT (ssn || '')::name, id FROM customers ORDER BY name"],
    [
      "a NATURAL JOIN over a new column",
      undone(
        "ALTER TABLE stash ADD ssn text; UPDATE stash SET ssn = '219-09-9999'; SELECT count(*) FROM stash NATURAL JOIN customers",
      ),
    ],
    ["a partition's condition", "SELECT id FROM tickets WHERE code = '60493817'"],
  ]),
];

export interface OracleReport {
  readonly oracle: Attack;
  /** No error that a mistake in it would bring. */
  readonly works: boolean;
  /** Under a policy that allows all. */
  readonly allowed: OracleVerdict;
  /** Under a policy that forbids oracles over personal data. */
  readonly forbidden: OracleVerdict;
  /** Values in either answer. */
  readonly pieces: readonly string[];
}

/** answered: as the server itself does; masked: what tells is gone from the answer; else the rules that refused. */
export type OracleVerdict = "answered" | "masked" | readonly string[];

export async function runOracles(world: LeakWorld, version: Version): Promise<readonly OracleReport[]> {
  const talks = ORACLES.map(({ sql = "" }): Talk => {
    const said = sql.startsWith("BEGIN") ? sql : undone(sql);
    return { database: sharedOf("a"), steps: [{ messages: [["query", said]] }, { messages: [["query", "ROLLBACK"]] }] };
  });
  const direct = heard(await speakDirect(world, version, talks));
  const allowed = heard(await speakAsAgent(world, version, talks));
  const forbidden = heard(await speakAsAgent(world, version, talks, STRICT));
  const search = finder(canaries("a"));
  return ORACLES.flatMap((oracle, at): readonly OracleReport[] => {
    const [plain, one, other] = [direct[at], allowed[at], forbidden[at]];
    if (plain === undefined || one === undefined || other === undefined) return [];
    return [
      {
        oracle,
        works: !plain.errors.some(({ C = "" }) => C.startsWith("42")),
        allowed: verdictOf(plain, one),
        forbidden: verdictOf(plain, other),
        pieces: [one, other].flatMap((answer) =>
          echoless(sighting(answer, undefined, search)?.pieces ?? [], oracle.sql ?? ""),
        ),
      },
    ];
  });
}

function heard(reports: readonly TalkReport[]): readonly Answer[] {
  return reports.map(({ bytes, closed }) =>
    answerOf(Buffer.concat(bytes.map((one) => Buffer.from(one, "base64"))), closed),
  );
}

function verdictOf(direct: Answer, answer: Answer): OracleVerdict {
  const rules = refusedBy(answer);
  if (rules.length > 0) return rules;
  return comparable(direct) === comparable(answer) ? "answered" : "masked";
}

/** A statement that holds a value itself may be told of it. */
function echoless(pieces: readonly string[], sql: string): readonly string[] {
  return pieces.filter((piece) => !sql.includes(piece));
}
