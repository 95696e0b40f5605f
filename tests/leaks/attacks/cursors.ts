/** Cursors and portals, of SQL and of the protocol and of both at once; EXPLAIN; prepared statements; settings as storage. */
import { type Group, type Message, query, rows, step, undone } from "../attack.ts";
import { kitRows } from "./kit.ts";

const PLAIN = "SELECT ssn FROM customers ORDER BY id";
const MADE = "SELECT upper(ssn) AS x FROM customers ORDER BY id";

const code = kitRows("code");
const named = (pattern: RegExp) => code.filter(({ name }) => pattern.test(name));

const cursors: Group = {
  title: "Cursors and FETCH",
  attacks: [
    ...named(/^a cursor$/),
    ...rows(
      [
        ["FETCH of plain columns", `DECLARE c CURSOR FOR ${PLAIN}; FETCH ALL FROM c`],
        ["FETCH one by one", `DECLARE c CURSOR FOR ${MADE}; FETCH c; FETCH NEXT FROM c`],
        ["FETCH backwards", `DECLARE c SCROLL CURSOR FOR ${PLAIN}; MOVE LAST IN c; FETCH BACKWARD ALL FROM c`],
        ["FETCH ABSOLUTE", `DECLARE c SCROLL CURSOR FOR ${MADE}; FETCH ABSOLUTE 2 FROM c`],
        ["MOVE, then FETCH", `DECLARE c CURSOR FOR ${PLAIN}; MOVE 1 IN c; FETCH 1 FROM c`],
        [
          "a binary cursor",
          "DECLARE c BINARY CURSOR FOR SELECT ssn, n FROM customers JOIN vault USING (id); FETCH ALL FROM c",
        ],
        ["a cursor over a star", "DECLARE c CURSOR FOR SELECT * FROM vault; FETCH ALL FROM c"],
        ["a cursor over a view", "DECLARE c CURSOR FOR SELECT x FROM app.plain; FETCH ALL FROM c"],
        [
          "a cursor over a CTE",
          "DECLARE c CURSOR FOR WITH s AS (SELECT ssn AS x FROM customers) SELECT x FROM s; FETCH ALL FROM c",
        ],
        [
          "WHERE CURRENT OF",
          "DECLARE c CURSOR FOR SELECT id FROM customers FOR UPDATE; FETCH c; UPDATE customers SET name = name WHERE CURRENT OF c RETURNING ssn",
        ],
        [
          "two cursors of one name",
          "DECLARE c CURSOR FOR SELECT name FROM customers; CLOSE c; DECLARE c CURSOR FOR SELECT card FROM customers; FETCH ALL FROM c",
        ],
        ["cursor_to_xml", `DECLARE c CURSOR FOR ${PLAIN}; SELECT cursor_to_xml('c', 10, true, true, '')`],
        ["a cursor that a function opens, made before", "SELECT app.open('r'); FETCH ALL FROM r"],
      ].map(([name = "", sql = ""]) => [name, undone(sql)] as const),
    ),
    ...rows([
      ["WITH HOLD", `DECLARE c CURSOR WITH HOLD FOR ${MADE}; FETCH ALL FROM c`],
      [
        "WITH HOLD, fetched after COMMIT",
        `BEGIN; DECLARE c CURSOR WITH HOLD FOR ${PLAIN}; COMMIT; FETCH ALL FROM c; CLOSE c`,
      ],
    ]),
  ],
};

/** Parse, Bind and Execute of one statement without names. */
function series(sql: string, limit = 0, binary = false): readonly Message[] {
  return [
    ["parse", "", sql],
    ["bind", "", "", binary],
    ["describe", "P", ""],
    ["execute", "", limit],
  ];
}

const portals: Group = {
  title: "Portals and statements of the protocol",
  attacks: [
    {
      name: "a row limit",
      shown: `${PLAIN}, one row for each Execute`,
      steps: [step(...series(PLAIN, 1), ["execute", "", 1], ["execute", "", 0], ["sync"])],
    },
    {
      name: "a row limit over an expression, in binary",
      shown: `${MADE}, one row for each Execute`,
      steps: [step(...series(MADE, 1, true), ["execute", "", 2], ["sync"])],
    },
    {
      name: "nothing described",
      shown: `${PLAIN} without Describe`,
      steps: [step(["parse", "", PLAIN], ["bind", "", ""], ["execute", "", 0], ["sync"])],
    },
    {
      name: "a statement described, a portal not",
      shown: `${PLAIN}; Describe of the statement, binary results`,
      steps: [
        step(["parse", "s", PLAIN], ["describe", "S", "s"], ["sync"]),
        step(["bind", "", "s", true], ["execute", "", 0], ["sync"]),
      ],
    },
    {
      name: "described in another format than bound",
      shown: "SELECT n, big, born FROM vault; described as text, bound as binary",
      steps: [
        step(
          ["parse", "s", "SELECT n, big, born FROM vault"],
          ["bind", "p", "s"],
          ["describe", "P", "p"],
          ["bind", "q", "s", true],
          ["execute", "q", 0],
          ["sync"],
        ),
      ],
    },
    {
      name: "a named portal, fetched by SQL",
      shown: `portal p bound to ${PLAIN}; FETCH ALL FROM p`,
      steps: [
        query("BEGIN"),
        step(["parse", "", PLAIN], ["bind", "p", ""], ["sync"]),
        query("FETCH ALL FROM p"),
        query("ROLLBACK"),
      ],
    },
    {
      name: "a named portal of an expression, fetched by SQL",
      shown: `portal p bound to ${MADE}; FETCH ALL FROM p`,
      steps: [
        query("BEGIN"),
        step(["parse", "", MADE], ["bind", "p", ""], ["sync"]),
        query("FETCH ALL FROM p"),
        query("ROLLBACK"),
      ],
    },
    {
      name: "a cursor of SQL, executed as portal",
      shown: `DECLARE c CURSOR FOR ${PLAIN}; Execute of portal c`,
      steps: [
        query(`BEGIN; DECLARE c CURSOR FOR ${PLAIN}`),
        step(["describe", "P", "c"], ["execute", "c", 0], ["sync"]),
        query("ROLLBACK"),
      ],
    },
    {
      name: "a cursor of SQL, executed as portal, not described",
      shown: `DECLARE c CURSOR FOR ${PLAIN}; Execute of portal c`,
      steps: [query(`BEGIN; DECLARE c CURSOR FOR ${PLAIN}`), step(["execute", "c", 2], ["sync"]), query("ROLLBACK")],
    },
    {
      name: "a prepared statement of SQL, bound by the protocol",
      shown: `PREPARE s AS ${PLAIN}; Bind of s`,
      steps: [
        query(`PREPARE s AS ${PLAIN}`),
        step(["bind", "", "s"], ["describe", "P", ""], ["execute", "", 0], ["sync"]),
      ],
    },
    {
      name: "a prepared expression of SQL, bound by the protocol, not described",
      shown: `PREPARE s AS ${MADE}; Bind of s`,
      steps: [query(`PREPARE s AS ${MADE}`), step(["bind", "", "s", true], ["execute", "", 0], ["sync"])],
    },
    {
      name: "a prepared statement of the protocol, run by SQL",
      shown: `Parse of s: ${PLAIN}; EXECUTE s`,
      steps: [step(["parse", "s", PLAIN], ["sync"]), query("EXECUTE s")],
    },
    {
      name: "a name that is used again",
      shown: `Parse of s: SELECT name FROM customers; Close; Parse of s: ${PLAIN}`,
      steps: [
        step(
          ["parse", "s", "SELECT name FROM customers"],
          ["bind", "", "s"],
          ["describe", "P", ""],
          ["execute", "", 0],
          ["sync"],
        ),
        step(["close", "S", "s"], ["parse", "s", PLAIN], ["bind", "", "s"], ["execute", "", 0], ["sync"]),
      ],
    },
    {
      name: "a name that SQL gives away and takes again",
      shown: `Parse of s: SELECT name FROM customers; DEALLOCATE s; PREPARE s AS ${PLAIN}; Bind of s`,
      steps: [
        step(
          ["parse", "s", "SELECT name FROM customers"],
          ["bind", "", "s"],
          ["describe", "P", ""],
          ["execute", "", 0],
          ["sync"],
        ),
        query(`DEALLOCATE s; PREPARE s AS ${PLAIN}`),
        step(["bind", "", "s"], ["execute", "", 0], ["sync"]),
      ],
    },
    {
      name: "a name after DISCARD ALL",
      shown: `Parse of s: SELECT name FROM customers; DISCARD ALL; Parse of s: ${PLAIN}`,
      steps: [
        step(["parse", "s", "SELECT name FROM customers"], ["sync"]),
        query("DISCARD ALL"),
        step(["parse", "s", PLAIN], ["bind", "", "s"], ["execute", "", 0], ["sync"]),
      ],
    },
    {
      name: "two portals in turns",
      shown: "portals of name and of ssn, row by row in turns",
      steps: [
        query("BEGIN"),
        step(
          ["parse", "a", "SELECT name FROM customers ORDER BY id"],
          ["parse", "b", PLAIN],
          ["bind", "p", "a"],
          ["bind", "q", "b"],
          ["execute", "p", 1],
          ["execute", "q", 1],
          ["execute", "p", 1],
          ["execute", "q", 1],
          ["sync"],
        ),
        query("ROLLBACK"),
      ],
    },
    {
      name: "the unnamed statement is replaced behind a bound portal",
      shown: `Parse ${PLAIN}; Bind p; Parse SELECT 1; Execute p`,
      steps: [step(["parse", "", PLAIN], ["bind", "p", ""], ["parse", "", "SELECT 1"], ["execute", "p", 0], ["sync"])],
    },
    {
      name: "a parameter beside the value",
      shown: "SELECT $1 || ssn FROM customers",
      steps: [
        step(
          ["parse", "", "SELECT $1 || ssn FROM customers"],
          ["bind", "", "", false, ["x"]],
          ["execute", "", 0],
          ["sync"],
        ),
      ],
    },
    {
      name: "a pipeline of a clean and a labelled statement",
      shown: `SELECT name …; ${MADE}; SELECT id …, one Sync`,
      steps: [
        step(...series("SELECT name FROM customers"), ...series(MADE), ...series("SELECT id FROM customers"), ["sync"]),
      ],
    },
    {
      name: "a pipeline with a Sync for each",
      shown: `${MADE}; ${PLAIN}; COPY customers TO STDOUT, a Sync for each`,
      steps: [
        step(...series(MADE), ["sync"], ...series(PLAIN), ["sync"], ...series("COPY customers TO STDOUT"), ["sync"]),
      ],
    },
    {
      name: "a pipeline with Flush",
      shown: `${PLAIN}, a Flush behind each message`,
      steps: [
        step(
          ["parse", "", PLAIN],
          ["flush"],
          ["bind", "", ""],
          ["flush"],
          ["execute", "", 1],
          ["flush"],
          ["execute", "", 0],
          ["sync"],
        ),
      ],
    },
    {
      name: "a pipeline that goes on behind an error",
      shown: `SELECT 1/0; Sync; ${MADE}`,
      steps: [step(...series("SELECT 1/0"), ["sync"], ...series(MADE), ["sync"])],
    },
    {
      name: "a Query inside of an open series",
      shown: `Parse SELECT 1 without Sync; Query ${PLAIN}`,
      steps: [step(["parse", "", "SELECT 1"], ["bind", "", ""], ["query", PLAIN])],
    },
    {
      name: "a plan whose table gets another meaning",
      before: "CREATE SCHEMA clean; CREATE TABLE clean.plain (id int, x text); INSERT INTO clean.plain VALUES (1, 'x')",
      shown: "Parse of s: SELECT x FROM plain, the search path then leads to another schema",
      steps: [
        query("SET search_path = clean"),
        step(
          ["parse", "s", "SELECT x FROM plain"],
          ["bind", "", "s"],
          ["describe", "P", ""],
          ["execute", "", 0],
          ["sync"],
        ),
        query("SET search_path = app"),
        step(["bind", "", "s"], ["execute", "", 0], ["sync"]),
      ],
    },
    {
      name: "a plan whose column gets another meaning",
      changes: true,
      shown: "Parse of s: SELECT name FROM customers; ssn is renamed to name; Execute",
      steps: [
        step(
          ["parse", "s", "SELECT name FROM customers"],
          ["bind", "", "s"],
          ["describe", "P", ""],
          ["execute", "", 0],
          ["sync"],
        ),
        query("ALTER TABLE customers RENAME name TO was; ALTER TABLE customers RENAME ssn TO name"),
        step(["bind", "", "s"], ["execute", "", 0], ["sync"]),
      ],
    },
    {
      name: "a plan whose table becomes another, by another connection",
      changes: true,
      shown: "Parse of s: SELECT x FROM stash; another connection puts a view of ssn in its place; Execute",
      steps: [
        step(["parse", "s", "SELECT x FROM stash"], ["bind", "", "s"], ["execute", "", 1], ["sync"]),
        query("DROP TABLE stash; CREATE VIEW stash AS SELECT ssn AS x FROM customers", "other"),
        step(["bind", "", "s"], ["execute", "", 0], ["sync"]),
      ],
    },
  ],
};

const explain: Group = {
  title: "EXPLAIN and what the server tells of plans",
  attacks: [
    ...rows([
      ["a constant that was folded", "EXPLAIN (VERBOSE, COSTS off) SELECT app.folded()"],
      ["a filter with a folded constant", "EXPLAIN (COSTS off) SELECT * FROM orders WHERE note = app.folded()"],
      ["a folded constant as JSON", "EXPLAIN (FORMAT json, VERBOSE) SELECT app.folded()"],
      ["a folded constant as XML", "EXPLAIN (FORMAT xml, VERBOSE) SELECT app.folded()"],
      [
        "an ANALYZE that tells of a filter",
        "EXPLAIN (ANALYZE, TIMING off, SUMMARY off) SELECT * FROM orders WHERE note = app.folded()",
      ],
      ["an index's condition", "EXPLAIN (COSTS off) SELECT * FROM stash WHERE x > app.folded()"],
      ["an ANALYZE that runs a procedure of notices", "EXPLAIN (ANALYZE, TIMING off, SUMMARY off) SELECT app.notice()"],
      [
        "EXPLAIN of a prepared statement",
        "PREPARE q AS SELECT app.folded() AS x; EXPLAIN (VERBOSE, COSTS off) EXECUTE q; DEALLOCATE q",
      ],
      ["a printed parse tree", "SET client_min_messages = log; SET debug_print_plan = on; SELECT app.folded()"],
      [
        "auto_explain",
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_verbose = on; SET client_min_messages = log; SELECT app.folded()",
      ],
      [
        "auto_explain of nested statements",
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET client_min_messages = log; SELECT app.nested()",
      ],
    ]).map((attack) => (/auto_explain|printed/.test(attack.name) ? { ...attack, restless: true as const } : attack)),
    ...rows(
      [
        ["a view's filter", "EXPLAIN (COSTS off) SELECT * FROM app.filtered"],
        [
          "a view's filter under ANALYZE",
          "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM app.filtered",
        ],
      ],
      {
        before: `DO $$ BEGIN EXECUTE format('CREATE VIEW app.filtered AS SELECT id FROM customers WHERE ssn <> %L',
          (SELECT ssn FROM customers WHERE id = 1)); END $$`,
      },
    ),
  ],
};

const prepared: Group = {
  title: "Prepared statements and prepared transactions",
  attacks: [
    ...named(/^a prepared statement$/),
    ...rows([
      ["EXECUTE of plain columns", "PREPARE q AS SELECT ssn FROM customers; EXECUTE q; DEALLOCATE q"],
      [
        "EXECUTE with a parameter",
        "PREPARE q(int) AS SELECT upper(ssn) FROM customers WHERE id = $1; EXECUTE q(1); DEALLOCATE q",
      ],
      ["EXECUTE of a star", "PREPARE q AS SELECT * FROM vault; EXECUTE q; DEALLOCATE q"],
      [
        "EXECUTE of RETURNING",
        `PREPARE q AS UPDATE customers SET name = name WHERE id = 1 RETURNING ssn; ${undone("EXECUTE q")}; DEALLOCATE q`,
      ],
      ["EXECUTE of a view", "PREPARE q AS SELECT x FROM app.plain; EXECUTE q; DEALLOCATE q"],
    ]),
    ...rows(
      [
        [
          "a prepared transaction that copies",
          "BEGIN; INSERT INTO stash SELECT id, ssn FROM customers; PREPARE TRANSACTION 'g_@database@'; COMMIT PREPARED 'g_@database@'; SELECT x FROM stash",
        ],
        [
          "a prepared transaction that creates",
          "BEGIN; CREATE TABLE t AS SELECT card AS x FROM customers; PREPARE TRANSACTION 'h_@database@'; COMMIT PREPARED 'h_@database@'; SELECT x FROM t",
        ],
        [
          "a prepared transaction that renames",
          "BEGIN; ALTER TABLE customers RENAME ssn TO x; PREPARE TRANSACTION 'i_@database@'; COMMIT PREPARED 'i_@database@'; SELECT x FROM customers",
        ],
      ],
      { changes: true, forms: ["text", "binary"] },
    ),
  ],
};

const settings: Group = {
  title: "Settings as storage",
  attacks: [
    ...named(/setting/),
    ...rows([
      [
        "set_config, then current_setting",
        "SELECT count(set_config('my.x', ssn, false)) FROM customers WHERE id = 1; SELECT current_setting('my.x')",
      ],
      ["set_config, then SHOW", "SELECT count(set_config('my.x', ssn, false)) FROM customers WHERE id = 1; SHOW my.x"],
      [
        "set_config of a known setting, then pg_settings",
        "SELECT count(set_config('application_name', ssn, false)) FROM customers WHERE id = 1; SELECT setting FROM pg_settings WHERE name = 'application_name'",
      ],
      [
        "a setting that the server reports",
        "SELECT set_config('application_name', ssn, false) IS NULL FROM customers WHERE id = 1",
      ],
      [
        "an UPDATE of pg_settings",
        "UPDATE pg_settings SET setting = c.ssn FROM customers c WHERE c.id = 1 AND pg_settings.name = 'application_name'",
      ],
      [
        "a setting by a writing CTE",
        "WITH s AS (SELECT set_config('my.x', card, false) AS v FROM customers) SELECT count(v) FROM s; SELECT current_setting('my.x')",
      ],
      [
        "a setting of a filter",
        "SELECT id FROM customers WHERE set_config('my.x', ssn, false) IS NOT NULL; SELECT current_setting('my.x')",
      ],
      [
        "a setting of an order",
        "SELECT id FROM customers ORDER BY set_config('my.x', ssn, false); SELECT current_setting('my.x')",
      ],
      ["a setting made by a function before", "SELECT app.keep(); SELECT current_setting('my.kept')"],
      [
        "the search path",
        "SELECT set_config('search_path', card, false) IS NULL FROM customers WHERE id = 1; SHOW search_path",
      ],
    ]),
  ],
};

export const CURSORS: readonly Group[] = [cursors, portals, explain, prepared, settings];
