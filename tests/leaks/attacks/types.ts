/** Every labelled type in every plain way, and values that were reckoned from labelled ones. */
import { type Attack, type Group, rows } from "../attack.ts";
import { VAULT_COLUMNS } from "../canaries.ts";

const WAYS: readonly (readonly [way: string, sql: (column: string) => string])[] = [
  ["plain", (column) => `SELECT ${column} FROM vault`],
  ["as text", (column) => `SELECT ${column}::text FROM vault`],
  ["in an array", (column) => `SELECT ARRAY[${column}] FROM vault`],
  ["as json", (column) => `SELECT to_json(${column}) FROM vault`],
  ["in a row", (column) => `SELECT ROW(id, ${column}) FROM vault`],
  ["copied", (column) => `COPY vault (id, ${column}) TO STDOUT`],
];

const types: Group = {
  title: "Types: text, binary and COPY",
  attacks: VAULT_COLUMNS.flatMap((column) =>
    rows(WAYS.map(([way, sql]) => [`${column} ${way}`, sql(column)] as const)),
  ),
};

/** No piece of a value is in the answer, and yet it tells of it: it is another one for other values of the same shape. */
const derived: Group = {
  title: "Values that were reckoned from labelled ones",
  attacks: [
    ...rows([
      ["md5", "SELECT md5(ssn) FROM customers"],
      ["sha256", "SELECT sha256(ssn::bytea) FROM customers"],
      ["hashtext", "SELECT hashtext(ssn) FROM customers"],
      ["hmac", "SELECT hmac(ssn, 'key', 'sha1') FROM customers"],
      ["a multiple", "SELECT card::numeric * 3 FROM customers"],
      ["a difference", "SELECT n - 1234567 FROM vault"],
      ["exclusive or", "SELECT n # 1431655765 FROM vault"],
      ["a logarithm", "SELECT ln(num), sqrt(dbl) FROM vault"],
      ["a small remainder", "SELECT n % 997 FROM vault"],
      ["the code of one character", "SELECT ascii(right(ssn, 1)) FROM customers"],
      ["a bucket", "SELECT width_bucket(n, 0, 2000000000, 1000) FROM vault"],
      ["days between", "SELECT born - '2000-01-01'::date FROM vault"],
      ["the day of the week", "SELECT to_char(born, 'Day'), extract(doy FROM born) FROM vault"],
      ["an age", "SELECT age('2000-01-01'::date, born) FROM vault"],
      ["a position", "SELECT strpos(card, '4') FROM customers"],
      ["a comparison as output", "SELECT ssn > '457-60' FROM customers"],
      ["LIKE as output", "SELECT ssn LIKE '%9%9%' FROM customers"],
      ["a condition's result", "SELECT CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END FROM vault"],
      ["a similarity", "SELECT similarity(ssn, '219-09-0000') FROM customers"],
      ["a sum", "SELECT sum(n), avg(big) FROM vault"],
      ["a deviation", "SELECT stddev(n), var_pop(num) FROM vault"],
      ["a regression", "SELECT regr_slope(n, dbl), corr(n, id) FROM vault"],
      ["bits of a sum", "SELECT bit_and(n), bit_or(n) FROM vault"],
      ["bool_and", "SELECT bool_and(n % 2 = 0) FROM vault"],
      ["a hash of a row", "SELECT md5(c::text) FROM customers c"],
      ["a hash of an array", "SELECT hashtext(array_agg(ssn)::text) FROM customers"],
      ["random numbers with its seed", "SELECT setseed((n % 1000) / 1000.0), random() FROM vault WHERE id = 1"],
      ["the count of a pattern", "SELECT array_length(string_to_array(card, '4'), 1) FROM customers"],
      ["a rank among hypothetical ones", "SELECT rank('238-00-0000') WITHIN GROUP (ORDER BY ssn) FROM customers"],
      ["trigrams", "SELECT show_trgm(ssn) FROM customers"],
      ["crc32", "SELECT crc32(ssn::bytea) FROM customers"],
    ]).map((attack): Attack => (attack.name === "crc32" ? { ...attack, since: 18 } : attack)),
  ],
};

export const TYPES: readonly Group[] = [types, derived];
