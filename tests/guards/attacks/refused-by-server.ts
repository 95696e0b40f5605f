/** Tries that PostgreSQL itself does not take: nothing is proven by them, and nothing may come of them either. Data only. */
import { client, message } from "../../kit/wire.ts";
import { type Attack, spoken } from "../attack.ts";

const DROP = "DROP TABLE customers";

function query(bytes: string): Buffer {
  return message("Q", Buffer.from(`${bytes}\0`, "latin1"));
}

export const REFUSED_BY_SERVER: readonly Attack[] = [
  spoken("two statements in one Parse", "Parse of SELECT 1; DROP TABLE customers", [
    Buffer.concat([client.parse("", `SELECT 1; ${DROP}`), client.bind("", ""), client.execute(""), client.sync()]),
  ]),
  spoken("a NUL before the statement", "Query of SELECT 1, a NUL and DROP TABLE customers", [
    query(`SELECT 1\0${DROP}`),
  ]),
  spoken("a NUL in a Parse", "Parse of DROP TABLE customers with a NUL in front", [
    Buffer.concat([client.parse("", `\0${DROP}`), client.sync()]),
  ]),
  spoken("bytes that are no UTF-8", "Query with \\xff in a string", [query(`SELECT '\xff'; ${DROP}`)]),
  spoken("an overlong form", "Query with \\xc0\\xa7 in a string", [query(`SELECT '\xc0\xa7'; ${DROP}; --'`)]),
  spoken("half a surrogate pair", "Query with \\xed\\xa0\\x80 in a string", [query(`SELECT '\xed\xa0\x80'; ${DROP}`)]),
  spoken("a message without an end", "Query of DROP TABLE customers without its NUL", [
    message("Q", Buffer.from(DROP)),
  ]),
  spoken("a statement prepared with a utility", "PREPARE of DROP TABLE customers", [
    `PREPARE p AS ${DROP}`,
    "EXECUTE p",
  ]),
  spoken("INTO in a cursor", "DECLARE of SELECT … INTO", [
    "BEGIN",
    "DECLARE c CURSOR FOR SELECT 1 AS a INTO made",
    "COMMIT",
  ]),
  spoken("INTO in COPY", "COPY of SELECT … INTO", ["COPY (SELECT 1 AS a INTO made) TO STDOUT"]),
  spoken("INTO in a sub-query", "SELECT of SELECT … INTO", ["SELECT * FROM (SELECT 1 AS a INTO made) s"]),
  spoken("a DELETE in a nested WITH", "SELECT of a sub-query with DELETE in WITH", [
    "SELECT * FROM (WITH d AS (DELETE FROM customers RETURNING id) SELECT id FROM d) s",
  ]),
  spoken("another statement in query_to_xml", "query_to_xml('DELETE FROM customers')", [
    "SELECT query_to_xml('DELETE FROM customers RETURNING 1', true, true, '')",
  ]),
  spoken("a statement behind a COPY's data", "CopyDone, then a Query inside of the data", [
    Buffer.concat([client.query("COPY orders (id) FROM STDIN"), client.copyData(`\\.\n${DROP};\n`), client.copyDone()]),
  ]),
];
