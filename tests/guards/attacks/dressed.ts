/** Attacks that hide a statement from a reader: comments, quotes, escapes, encodings, and the protocol itself. Data only. */
import { client, message } from "../../kit/wire.ts";
import { type Attack, type AttackGroup, type Said, spoken, started, text } from "../attack.ts";

const DROP = "DROP TABLE customers";
const WIPE = "DELETE FROM customers";
const INSERT = "INSERT INTO orders VALUES (900, 1, 1, 'before the refusal')";

/** One string and another to a reader; a string and a statement to a server that escapes by backslashes. */
const UNQUOTED = `SELECT '\\' || '; ${WIPE}; --'`;

/** A Query of bytes that are no UTF-8. */
function query(bytes: string): Buffer {
  return message("Q", Buffer.from(`${bytes}\0`, "latin1"));
}

/** In a database that takes any bytes. */
function ascii(name: string, bytes: string): Attack {
  const told = `in a database of SQL_ASCII: ${JSON.stringify(bytes).slice(1, -1)}`;
  const { means } = started(name, { client_encoding: "SQL_ASCII" }, [query(bytes)]);
  return { name, means: { ...means, told } as Attack["means"], encoding: "SQL_ASCII" };
}

function run(sql: string, statement = "", portal = ""): Buffer {
  return Buffer.concat([client.parse(statement, sql), client.bind(portal, statement), client.execute(portal)]);
}

function series(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...parts, client.sync()]);
}

const prepared = (sql: string): Said => series(client.parse("s", sql));
const executed: Said = series(client.bind("", "s"), client.execute(""));

export const DRESSED: readonly AttackGroup[] = [
  {
    title: "Hidden in the text",
    policy: "no-ddl",
    about: "Where a statement begins and ends is the server's reading, not a reader's guess.",
    attacks: [
      text("nested comments", `/* /* SELECT */ SELECT 1; */ ${DROP}`),
      text("a comment that opens in a string", `SELECT '/*'; ${DROP}; SELECT '*/'`),
      text("a line comment that ends at a carriage return", `SELECT 1; -- x\r${DROP}`),
      text("a line comment before a line feed", `--\n${DROP}`),
      text("dashes in a string", `SELECT '--'; ${DROP}`),
      text("a backslash before a quote", `SELECT '\\'; ${DROP}; --'`),
      text("an escaped backslash in E''", `SELECT E'\\\\'; ${DROP}; --'`),
      text("two quotes in E''", `SELECT E'\\''''; ${DROP}; --'`),
      text("a dollar quote with a semicolon", `SELECT $$;$$; ${DROP}`),
      text("a dollar quote within another", `SELECT $a$ $b$ $a$; ${DROP}; SELECT $b$ $a$ $b$`),
      text("a dollar quote's tag within a name", `SELECT 1 AS a$b$; ${DROP}; SELECT 1 AS c$b$`),
      text("a quoted name with a quote", `SELECT 1 AS "a""'"; ${DROP}; SELECT 1 AS "'"`),
      text("a Unicode name", `SELECT 1 AS ünïcode$$; ${DROP} --$$`),
      text("UESCAPE", `DROP TABLE U&"c!0075stomers" UESCAPE '!'`),
      text("six-digit escapes", `DROP TABLE U&"\\+000063ustomers"`),
      text("form feeds for blanks", "DROP\fTABLE\fcustomers"),
      text("empty statements around", `;;; ; ${DROP};;;`),
      text("a string that goes on in the next line", `SELECT 'a'\n'; ${DROP}; --' AS a; ${DROP}`),
      text("a national string", `SELECT N'\\'; ${DROP}; --'`),
      text("a bit string", `SELECT B'0', X'1F'; ${DROP}`),
      text("operators that look like comments", `SELECT 1 *-1 /-1; ${DROP}`),
      text("a statement of 600 KiB", `SELECT '${"x".repeat(600 * 1024)}'; ${DROP}`),
      text("a statement behind 4,000 blanks", `${" ".repeat(4_000)}${DROP}`),
      text("a statement under 400 parentheses", `SELECT ${"(".repeat(400)}1${")".repeat(400)}; ${DROP}`),
      text("a statement over 1 MiB", `SELECT '${"x".repeat(1_100_000)}'; ${DROP}`),
      text("a statement behind 900 others", `${"SELECT 1;".repeat(900)}${DROP}`),
    ],
  },
  {
    title: "Read another way",
    policy: "no-whole-table",
    about: "Settings and encodings by which the server would read another statement than the policy does.",
    attacks: [
      spoken("standard_conforming_strings, then the string", "SET standard_conforming_strings = off, then a string", [
        "SET standard_conforming_strings = off",
        UNQUOTED,
      ]),
      spoken(
        "standard_conforming_strings by set_config",
        "set_config('standard_conforming_strings', 'off', false), then a string",
        ["SELECT set_config('standard_conforming_strings', 'off', false)", UNQUOTED],
      ),
      spoken("standard_conforming_strings by pg_settings", "UPDATE pg_settings, then a string", [
        "UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'",
        UNQUOTED,
      ]),
      spoken(
        "standard_conforming_strings by a function's SET",
        "a function that sets it and stays so is not possible; DO is",
        ["DO $$ BEGIN PERFORM set_config('standard_conforming_strings', 'off', false); END $$", UNQUOTED],
      ),
      started("standard_conforming_strings of the startup message", { standard_conforming_strings: "off" }, [UNQUOTED]),
      spoken("client_encoding GBK", "SET client_encoding = 'GBK', then a character that ends in a backslash", [
        "SET client_encoding = 'GBK'",
        query(`SELECT E'\xbf\\'; ${WIPE}; --'`),
      ]),
      spoken("SET NAMES", "SET NAMES 'SJIS', then a character that ends in a backslash", [
        "SET NAMES 'SJIS'",
        query(`SELECT E'\x83\\'; ${WIPE}; --'`),
      ]),
      spoken(
        "client_encoding BIG5 by set_config",
        "set_config('client_encoding', 'BIG5', false), then such a character",
        ["SELECT set_config('client_encoding', 'BIG5', false)", query(`SELECT E'\xa5\\'; ${WIPE}; --'`)],
      ),
      started("client_encoding GBK of the startup message", { client_encoding: "GBK" }, [
        query(`SELECT E'\xbf\\'; ${WIPE}; --'`),
      ]),
      spoken("transform_null_equals", "SET transform_null_equals = on, then id = NULL", [
        "SET transform_null_equals = on",
        "DELETE FROM customers WHERE NOT (id = NULL)",
      ]),
      ascii("bytes that are no UTF-8, in a comment", `DELETE /* \xff */ FROM customers`),
      ascii("dollar tags that become one when decoded", `SELECT $\xff$ x $\xfe$ || $q$ ' y $\xff$; ${WIPE}; -- $q$`),
      ascii("half a character before a quote", `SELECT '\xe2'; ${WIPE}; --'`),
      ascii("an overlong form of a quote", `SELECT '\xc0\xa7'; ${WIPE}; --'`),
    ],
  },
  {
    title: "By the protocol",
    policy: "no-ddl",
    about: "Names that are given anew, pipelines, and what one refusal must take with it.",
    attacks: [
      spoken("a statement's name given anew", "Parse s, Sync; Close s, Parse s, Bind, Execute, Sync", [
        prepared("SELECT 1"),
        series(client.close("S", "s"), run(DROP, "s")),
      ]),
      spoken("the unnamed statement given anew in a pipeline", "SELECT, then DROP, both unnamed, one Sync", [
        series(run("SELECT 1"), run(DROP)),
      ]),
      spoken("prepared now, executed later", "Parse s of DROP, Sync; Bind s, Execute, Sync", [
        prepared(DROP),
        executed,
      ]),
      spoken("a name after DEALLOCATE", "Parse s; DEALLOCATE s; Parse s of DROP; Bind, Execute", [
        prepared("SELECT 1"),
        "DEALLOCATE s",
        prepared(DROP),
        executed,
      ]),
      spoken(
        "a name after DEALLOCATE ALL in one pipeline",
        "Parse s; DEALLOCATE ALL and Parse s of DROP before one Sync",
        [
          prepared("SELECT 1"),
          series(run("DEALLOCATE ALL"), client.parse("s", DROP), client.bind("", "s"), client.execute("")),
        ],
      ),
      spoken(
        "a portal that is bound before its statement changes",
        "Bind p to s, Close s, Parse s of DROP, Execute p, Bind, Execute",
        [
          series(
            client.parse("s", "SELECT 1"),
            client.bind("p", "s"),
            client.close("S", "s"),
            run(DROP, "s", "q"),
            client.execute("p"),
          ),
        ],
      ),
      spoken("a Flush where a Sync would be", "Parse, Bind, Execute of DROP, Flush, Sync", [
        series(run(DROP), client.flush()),
      ]),
      spoken("DROP between harmless ones of a pipeline", "SELECT, DROP, SELECT, one Sync", [
        series(run("SELECT 1"), run(DROP), run("SELECT 2")),
      ]),
      spoken("what came before in a pipeline", "INSERT, DROP, one Sync: nothing may be committed", [
        series(run(INSERT), run(DROP)),
      ]),
      spoken("what came before and after in a pipeline", "INSERT, DROP, INSERT, one Sync", [
        series(run(INSERT), run(DROP), run("INSERT INTO orders VALUES (901, 1, 1, 'after')")),
      ]),
      spoken("what came before in one Query", "INSERT; DROP in one Query", [`${INSERT}; ${DROP}`]),
      spoken("what came behind in one Query", "DROP; INSERT in one Query", [`${DROP}; ${INSERT}`]),
      spoken("what was committed in the middle of one Query", "INSERT; COMMIT; DROP in one Query", [
        `${INSERT}; COMMIT; ${DROP}`,
      ]),
      spoken("what came before in a transaction", "BEGIN, INSERT, DROP, COMMIT", ["BEGIN", INSERT, DROP, "COMMIT"]),
      spoken("what came before in a transaction that goes on", "BEGIN, INSERT, DROP, INSERT, END", [
        "BEGIN",
        INSERT,
        DROP,
        "INSERT INTO orders VALUES (901, 1, 1, 'after')",
        "END",
      ]),
      spoken("what was chained behind it", "BEGIN, INSERT, DROP, COMMIT AND CHAIN, COMMIT", [
        "BEGIN",
        INSERT,
        DROP,
        "COMMIT AND CHAIN",
        "COMMIT",
      ]),
      spoken("what was prepared for two phases", "BEGIN, INSERT, PREPARE TRANSACTION, COMMIT PREPARED", [
        "BEGIN",
        INSERT,
        "PREPARE TRANSACTION '{id}'",
        "COMMIT PREPARED '{id}'",
      ]),
      spoken("COPY data in front", "a Query of COPY FROM STDIN and DROP, with the data behind it", [
        Buffer.concat([
          client.query(`COPY orders FROM STDIN; ${DROP}`),
          client.copyData("900\t1\t1\tx\n"),
          client.copyDone(),
        ]),
      ]),
      spoken("a function by the fast path", "FunctionCall of clear()", [{ call: "clear()" }]),
      spoken("a query behind a fast path call", "FunctionCall of clear(), then SELECT", [
        { call: "clear()" },
        "SELECT 1",
      ]),
    ],
  },
];
