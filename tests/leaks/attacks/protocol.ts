/** What the protocol itself offers: several statements at once, the fast path, startup parameters, encodings; and commands. */
import { type Group, query, rows, step } from "../attack.ts";

const LONG = `/*${"x".repeat(200_000)}*/`;

/** OIDs of pg_proc, the same in every version. */
const TABLE_TO_XML = 2923;
const QUERY_TO_XML = 2924;

const protocol: Group = {
  title: "Several statements at once, the fast path, startup and encodings",
  attacks: [
    ...rows([
      ["between two clean ones", "SELECT 1; SELECT upper(ssn) FROM customers; SELECT 2"],
      [
        "plain, between two clean ones",
        "SELECT name FROM customers; SELECT ssn FROM customers; SELECT name FROM customers",
      ],
      ["behind an empty one", ";;; SELECT card || '' FROM customers;;"],
      ["behind BEGIN", "BEGIN; SELECT card || '' FROM customers; COMMIT"],
      ["behind a SET LOCAL", "BEGIN; SET LOCAL search_path = app; SELECT x FROM plain; ROLLBACK"],
      ["behind a long comment", `${LONG} SELECT reverse(ssn) FROM customers ${LONG}`],
      ["behind a comment that nests", "/* /* */ SELECT 1 */ SELECT ssn || '' /* */ FROM customers -- "],
      ["behind a copy of clean columns", "COPY customers (id, name) TO STDOUT; SELECT reverse(card) FROM customers"],
      [
        "a different number of columns each",
        "SELECT 1; SELECT id, ssn FROM customers; SELECT ssn, card, id FROM customers",
      ],
      ["standard strings switched off", "SET standard_conforming_strings = off; SELECT '\\\\' || ssn FROM customers"],
      ["another style of bytea", "SET bytea_output = escape; SELECT blob FROM vault"],
      ["another style of dates", "SET datestyle = 'SQL, DMY'; SELECT born FROM vault"],
      ["another style of xml", "SET xmloption = document; SELECT xmlelement(name x, ssn) FROM customers"],
    ]),
    ...["LATIN1", "SQL_ASCII", "SJIS"].flatMap((encoding) =>
      rows([
        [`the encoding ${encoding}`, `SET client_encoding = '${encoding}'; SELECT ssn, name || card FROM customers`],
      ]),
    ),
    {
      name: "the fast path: table_to_xml",
      shown: "FunctionCall of table_to_xml",
      steps: [step(["call", TABLE_TO_XML, "customers", "t", "t", ""])],
    },
    {
      name: "the fast path: query_to_xml",
      shown: "FunctionCall of query_to_xml",
      steps: [step(["call", QUERY_TO_XML, "SELECT ssn FROM customers", "t", "t", ""])],
    },
    {
      name: "the search path at startup",
      shown: "options=-csearch_path=app; SELECT x FROM plain",
      startup: { options: "-csearch_path=app" },
      steps: [query("SELECT x FROM plain")],
    },
    {
      name: "the search path at startup, a parameter of its own",
      shown: "search_path=app; SELECT x FROM plain",
      startup: { search_path: "app" },
      steps: [query("SELECT x || '' FROM plain")],
    },
    {
      name: "an encoding at startup",
      shown: "client_encoding=LATIN1; SELECT upper(ssn) FROM customers",
      startup: { client_encoding: "LATIN1" },
      steps: [query("SELECT upper(ssn) FROM customers")],
    },
    {
      name: "a replication connection's SQL",
      shown: "replication=database; SELECT ssn FROM customers",
      startup: { replication: "database" },
      steps: [query("SELECT ssn FROM customers")],
    },
    {
      name: "COPY data that come before they are asked for",
      shown: "COPY stash FROM STDIN with its data in one write; SELECT upper(ssn) FROM customers",
      steps: [
        query("BEGIN"),
        step(
          ["query", "COPY stash (x) FROM STDIN"],
          ["copyData", "y\n"],
          ["copyDone"],
          ["query", "SELECT upper(ssn) FROM customers"],
        ),
        query("ROLLBACK"),
      ],
    },
  ],
};

const commands: Group = {
  title: "Commands that people use",
  attacks: [
    {
      name: "psql",
      shown: "psql -c 'SELECT * FROM customers'",
      command: ["psql", "-X", "@url@", "-c", "SELECT * FROM customers"],
    },
    {
      name: "psql's \\copy",
      shown: "\\copy customers to stdout",
      command: ["psql", "-X", "@url@", "-c", "\\copy customers to stdout"],
    },
    {
      name: "psql's \\copy of a query as csv",
      shown: "\\copy (SELECT …) to stdout csv",
      command: ["psql", "-X", "@url@", "-c", "\\copy (SELECT id, upper(ssn) FROM customers) to stdout csv"],
    },
    {
      name: "psql with cursors",
      shown: "FETCH_COUNT=2; SELECT ssn FROM customers",
      command: ["psql", "-X", "-v", "FETCH_COUNT=2", "@url@", "-c", "SELECT ssn FROM customers"],
    },
    ...[
      ["\\gset and \\echo", "SELECT ssn AS x FROM customers WHERE id = 1 \\gset\n\\echo :x\n"],
      ["\\gexec", "SELECT format('SELECT %L', ssn) FROM customers \\gexec\n"],
      ["\\crosstabview", "SELECT name, id, ssn FROM customers \\crosstabview\n"],
      ["\\gx", "SELECT * FROM customers \\gx\n"],
    ].map(([name = "", input = ""]) => ({
      name: `psql's ${name}`,
      shown: input.trim(),
      command: ["psql", "-X", "@url@"],
      input,
    })),
    {
      name: "psql and a large object",
      shown: "SELECT lo_get(lo_from_bytea(0, ssn::bytea)) FROM customers",
      command: [
        "psql",
        "-X",
        "@url@",
        "-c",
        "BEGIN",
        "-c",
        "SELECT lo_get(lo_from_bytea(0, ssn::bytea)) FROM customers",
      ],
    },
    {
      name: "psql as HTML",
      shown: "psql --html",
      command: ["psql", "-X", "--html", "@url@", "-c", "SELECT card, ssn FROM customers"],
    },
    {
      name: "psql's \\d+ of a partition",
      shown: "\\d+ tickets_one",
      command: ["psql", "-X", "@url@", "-c", "\\d+ tickets_one"],
    },
    // pg_dump draws a key for its output
    { name: "pg_dump", restless: true, shown: "pg_dump --data-only", command: ["pg_dump", "--data-only", "@url@"] },
    {
      name: "pg_dump with INSERTs",
      restless: true,
      shown: "pg_dump --inserts -t customers",
      command: ["pg_dump", "--inserts", "-t", "customers", "@url@"],
    },
    {
      name: "pg_dump of the schema",
      restless: true,
      shown: "pg_dump --schema-only -t tickets_one",
      command: ["pg_dump", "--schema-only", "-t", "tickets_one", "@url@"],
    },
  ],
};

export const PROTOCOL: readonly Group[] = [protocol, commands];
