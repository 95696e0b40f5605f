/** Every function of pg_catalog that SQL can call, with arguments of its types. The server names them. */
import type { Random } from "../random.ts";
import { FOLDER, MARKED_FILE } from "../truth/marks.ts";
import type { Session } from "../truth/session.ts";

export interface FunctionCall {
  readonly text: string;
  /** The server lets only chosen roles call it. */
  readonly isRestricted: boolean;
}

const FUNCTIONS = `
SELECT p.proname, array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY u(t, n) ORDER BY n), ';'),
  p.prokind, (p.proacl IS NOT NULL AND NOT has_function_privilege('nobody_special', p.oid, 'EXECUTE'))::text
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a', 'w') AND p.provariadic = 0
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype, 'language_handler'::regtype,
    'fdw_handler'::regtype, 'index_am_handler'::regtype, 'table_am_handler'::regtype, 'tsm_handler'::regtype)
  AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[])
ORDER BY p.proname, p.oid`;

/** They would end the server, wait for ever, or need a mode of the server that it is not in. */
const LEFT_OUT =
  /^(pg_promote|pg_sleep|pg_sleep_for|pg_sleep_until|pg_stop_making_pinned_objects|binary_upgrade_.*|pg_wal_replay_.*|pg_rotate_logfile.*|pg_export_snapshot)$/;

const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  integer: ["1", "2"],
  smallint: ["1::int2"],
  bigint: ["1::int8", "2::int8"],
  text: [
    "'shop.customers'",
    "'SELECT email FROM shop.customers'",
    `'${MARKED_FILE}'`,
    `'${FOLDER}/${MARKED_FILE}'`,
    "'work_mem'",
    "'a'",
    `'${FOLDER}/written'`,
    "'pg_catalog.simple'",
  ],
  name: ["'shop'::name", "'customers'::name", "'work_mem'::name"],
  cstring: ["'a'::cstring"],
  boolean: ["true", "false"],
  oid: ["'shop.customers'::regclass::oid", "4242::oid", "'shop.note'::regproc::oid", "16384::oid"],
  regclass: ["'shop.customers'::regclass", "'shop.invoice_number'::regclass", "'shop.products_title'::regclass"],
  regtype: ["'text'::regtype"],
  "double precision": ["1.5::float8"],
  real: ["1.5::float4"],
  numeric: ["2.5", "1::numeric"],
  "timestamp with time zone": ["now()"],
  "timestamp without time zone": ["localtimestamp"],
  date: ["current_date"],
  interval: ["interval '1 hour'"],
  "time without time zone": ["localtime"],
  jsonb: [`'{"a": 1, "b": [1]}'::jsonb`],
  json: [`'{"a": 1}'::json`],
  jsonpath: ["'$.a'::jsonpath"],
  bytea: ["'\\x6162'::bytea"],
  "text[]": ["ARRAY['a', 'b']"],
  character: ["'a'::char(1)"],
  '"char"': [`'r'::"char"`],
  anyelement: ["1"],
  anynonarray: ["1"],
  anyarray: ["ARRAY[1, 2]"],
  anycompatible: ["1"],
  anycompatiblearray: ["ARRAY[1, 2]"],
  anycompatiblenonarray: ["1"],
  anyenum: ["'open'::shop.order_status"],
  anyrange: ["int4range(1, 3)"],
  anymultirange: ["int4multirange(int4range(1, 3))"],
  record: ["ROW(1, 'a')"],
  '"any"': ["1", "'a'::text"],
  refcursor: ["'cur'::refcursor"],
  tsquery: ["'a'::tsquery"],
  tsvector: ["'a'::tsvector"],
  regconfig: ["'simple'::regconfig"],
  inet: ["inet '10.0.0.1'"],
  uuid: ["gen_random_uuid()"],
  xml: ["'<a/>'::xml"],
  bit: ["B'101'"],
  pg_lsn: ["'0/0'::pg_lsn"],
  xid: ["'3'::xid"],
  xid8: ["'3'::xid8"],
  money: ["'1'::money"],
  point: ["point '(1, 1)'"],
  box: ["box '(1, 1),(0, 0)'"],
  circle: ["circle '<(0, 0), 1>'"],
  polygon: ["polygon '((0, 0), (1, 1), (1, 0))'"],
};

/** Up to `each` different calls of every function. */
export async function functionCalls(session: Session, random: Random, each: number): Promise<readonly FunctionCall[]> {
  const calls: FunctionCall[] = [];
  for (const [name = "", types = "", kind, restricted] of await session.rows(FUNCTIONS)) {
    if (LEFT_OUT.test(name)) continue;
    const texts = new Set<string>();
    for (let tries = 0; tries < each * 3 && texts.size < each; tries++) {
      const values =
        types === "" ? [] : types.split(";").map((type) => random.pick(ARGUMENTS[type] ?? [`NULL::${type}`]));
      texts.add(textOf(random, name, values, kind));
    }
    for (const text of texts) calls.push({ text, isRestricted: restricted === "true" });
  }
  return calls;
}

function textOf(random: Random, name: string, values: readonly string[], kind: string | undefined): string {
  const called = `${random.pick(["pg_catalog.", ""])}"${name}"(${values.join(", ")})`;
  if (kind === "a") return `SELECT ${values.length === 0 ? called.replace("()", "(*)") : called}`;
  if (kind === "w") return `SELECT ${called} OVER ()`;
  return random.pick([`SELECT ${called}`, `SELECT * FROM ${called}`, `SELECT ${called}`]);
}
