/** Attacks by making something of values: aggregates, windows, JSON, XML, composites and arrays. */
import { type Attack, type Group, rows } from "../attack.ts";
import { kitRows } from "./kit.ts";

function since18(attacks: readonly Attack[]): readonly Attack[] {
  return attacks.map((attack): Attack => ({ ...attack, since: 18 }));
}

const aggregates: Group = {
  title: "Aggregates and window functions",
  attacks: [
    ...kitRows("aggregates"),
    ...rows([
      ["min", "SELECT min(card) FROM customers"],
      ["array_agg DISTINCT", "SELECT array_agg(DISTINCT ssn) FROM customers"],
      ["string_agg with an order", "SELECT string_agg(ssn, ',' ORDER BY id DESC) FROM customers"],
      ["jsonb_agg", "SELECT jsonb_agg(ssn) FROM customers"],
      ["keys of jsonb_object_agg", "SELECT jsonb_object_agg(ssn, id) FROM customers"],
      ["xmlagg", "SELECT xmlagg(xmlelement(name x, card)) FROM customers"],
      ["a sum of one", "SELECT sum(n) FROM vault GROUP BY id"],
      ["an average of one", "SELECT avg(big) FROM vault GROUP BY id"],
      ["bit_or of one", "SELECT bit_or(n) FROM vault GROUP BY id"],
      ["min of other types", "SELECT min(born), max(seen), min(num), max(addr), min(kind) FROM vault"],
      ["percentile_cont", "SELECT percentile_cont(0) WITHIN GROUP (ORDER BY dbl) FROM vault"],
      ["FILTER", "SELECT max(ssn) FILTER (WHERE id = 1) FROM customers"],
      ["an aggregate of a sub-query", "SELECT max(x) FROM (SELECT ssn AS x FROM customers) s"],
      [
        "an aggregate in a sub-query",
        "SELECT (SELECT string_agg(c.ssn, '') FROM orders WHERE id = 1) FROM customers c",
      ],
      ["GROUP BY an expression", "SELECT left(ssn, 6) FROM customers GROUP BY left(ssn, 6)"],
      ["GROUP BY an alias", "SELECT ssn AS k, count(*) FROM customers GROUP BY k"],
      ["CUBE", "SELECT ssn, name FROM customers GROUP BY CUBE (ssn, name)"],
      ["functional dependency", "SELECT ssn FROM customers GROUP BY id"],
      ["lead", "SELECT lead(ssn) OVER (ORDER BY id) FROM customers"],
      ["lag with a default", "SELECT lag(name, 1, ssn) OVER (ORDER BY id) FROM customers"],
      ["nth_value", "SELECT nth_value(card, 2) OVER (ORDER BY id) FROM customers"],
      [
        "last_value",
        "SELECT last_value(card) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM customers",
      ],
      ["an aggregate as window", "SELECT string_agg(ssn, '') OVER (ORDER BY id) FROM customers"],
      ["max of a window", "SELECT max(n) OVER () FROM vault"],
      ["a window over an aggregate", "SELECT max(max(ssn)) OVER () FROM customers GROUP BY id"],
      [
        "a window that refers to a window",
        "SELECT first_value(ssn) OVER (w ROWS 1 PRECEDING) FROM customers WINDOW w AS (ORDER BY id)",
      ],
      ["an ordered set's direct value", "SELECT mode() WITHIN GROUP (ORDER BY card DESC) FROM customers"],
      [
        "crosstab of a static query",
        "SELECT * FROM crosstab('SELECT id, 1, ssn FROM customers ORDER BY 1') AS t(id int, x text)",
      ],
    ]),
    ...since18(
      rows([
        ["any_value", "SELECT any_value(ssn) FROM customers"],
        ["min of a row", "SELECT min(c) FROM customers c"],
      ]),
    ),
  ],
};

const json: Group = {
  title: "JSON",
  attacks: [
    ...rows([
      ["to_json of a row", "SELECT to_json(c) FROM customers c"],
      ["row_to_json, pretty", "SELECT row_to_json(c, true) FROM customers c"],
      ["json_build_object", "SELECT json_build_object('s', ssn) FROM customers"],
      ["a key of json_build_object", "SELECT json_build_object(ssn, 1) FROM customers"],
      ["jsonb_build_array", "SELECT jsonb_build_array(id, card) FROM customers"],
      ["json_object", "SELECT json_object(ARRAY['s', ssn]) FROM customers"],
      ["json_object of keys and values", "SELECT jsonb_object(ARRAY['a', 'b'], ARRAY[ssn, card]) FROM customers"],
      ["a key of to_jsonb", "SELECT to_jsonb(c) -> 'ssn' FROM customers c"],
      ["a key of to_jsonb as text", "SELECT to_jsonb(c) ->> 'ssn' FROM customers c"],
      ["a path", "SELECT to_jsonb(c) #>> '{card}' FROM customers c"],
      ["a subscript", "SELECT (to_jsonb(c))['card'] FROM customers c"],
      ["a document without keys", "SELECT to_jsonb(c) - 'id' - 'name' FROM customers c"],
      ["documents joined", "SELECT '{}'::jsonb || to_jsonb(c) FROM customers c"],
      ["jsonb_path_query_array", "SELECT jsonb_path_query_array(to_jsonb(c), '$.*') FROM customers c"],
      [
        "jsonb_path_query with variables",
        "SELECT jsonb_path_query('{}', '$v', jsonb_build_object('v', ssn)) FROM customers",
      ],
      ["jsonb_set", "SELECT jsonb_set('{}', '{s}', to_jsonb(ssn)) FROM customers"],
      ["jsonb_insert", "SELECT jsonb_insert('[1]', '{0}', to_jsonb(card)) FROM customers"],
      ["jsonb_pretty", "SELECT jsonb_pretty(to_jsonb(c)) FROM customers c"],
      ["jsonb_strip_nulls", "SELECT jsonb_strip_nulls(to_jsonb(c)) FROM customers c"],
      ["jsonb_extract_path_text", "SELECT jsonb_extract_path_text(to_jsonb(c), 'ssn') FROM customers c"],
      ["jsonb_populate_record", "SELECT jsonb_populate_record(NULL::customers, to_jsonb(c)) FROM customers c"],
      ["array_to_json", "SELECT array_to_json(array_agg(ssn)) FROM customers"],
      ["a document in a document", "SELECT to_jsonb(s) FROM (SELECT id, row_to_json(c) AS d FROM customers c) s"],
      ["a row of a sub-query", "SELECT row_to_json(s) FROM (SELECT id, ssn AS x FROM customers) s"],
      ["json_agg of a sub-query", "SELECT json_agg(s) FROM (SELECT ssn AS x FROM customers) s"],
      ["a row of a CTE", "WITH s AS (SELECT ssn AS x FROM customers) SELECT json_agg(row_to_json(s)) FROM s"],
      ["the text of json", "SELECT (raw ->> 'raw') || '' FROM vault"],
      ["a text search vector of json", "SELECT jsonb_to_tsvector('simple', doc, '\"all\"') FROM vault"],
    ]),
    ...since18(
      rows([
        ["JSON_OBJECT", "SELECT JSON_OBJECT('s': ssn) FROM customers"],
        ["JSON_ARRAY", "SELECT JSON_ARRAY(ssn, card) FROM customers"],
        ["JSON_ARRAY of a query", "SELECT JSON_ARRAY(SELECT ssn FROM customers)"],
        ["JSON_ARRAYAGG", "SELECT JSON_ARRAYAGG(ssn) FROM customers"],
        ["JSON_OBJECTAGG", "SELECT JSON_OBJECTAGG(id: ssn) FROM customers"],
        ["JSON_SCALAR", "SELECT JSON_SCALAR(ssn) FROM customers"],
        ["JSON_SERIALIZE", "SELECT JSON_SERIALIZE(to_json(c) RETURNING text) FROM customers c"],
        ["JSON_QUERY", "SELECT JSON_QUERY(to_jsonb(c), '$.ssn') FROM customers c"],
        ["JSON_VALUE", "SELECT JSON_VALUE(to_jsonb(c), '$.card') FROM customers c"],
        ["JSON_VALUE with PASSING", "SELECT JSON_VALUE('{}', '$v' PASSING ssn AS v) FROM customers"],
      ]),
    ),
  ],
};

const xml: Group = {
  title: "XML",
  attacks: [
    ...rows([
      ["an attribute", "SELECT xmlelement(name x, xmlattributes(ssn AS s)) FROM customers"],
      ["XMLCONCAT", "SELECT xmlconcat(xmlelement(name x, ssn), xmlelement(name y, card)) FROM customers"],
      ["XMLPI", "SELECT xmlpi(name x, ssn) FROM customers"],
      ["xmlcomment", "SELECT xmlcomment(ssn) FROM customers"],
      ["XMLPARSE", "SELECT xmlparse(content ssn) FROM customers"],
      ["XMLPARSE of a document", "SELECT xmlparse(document '<x>' || card || '</x>') FROM customers"],
      ["XMLSERIALIZE", "SELECT xmlserialize(content xmlelement(name x, ssn) AS text) FROM customers"],
      ["XMLROOT", "SELECT xmlroot(xmlelement(name x, ssn), version '1.0') FROM customers"],
      ["a cast to xml", "SELECT ssn::xml FROM customers"],
      ["xpath of what was made", "SELECT xpath('/x/text()', xmlelement(name x, ssn)) FROM customers"],
      ["XMLFOREST of a star", "SELECT xmlforest(c.ssn AS a, c.card AS b) FROM customers c"],
      [
        "XMLTABLE with FOR ORDINALITY",
        "SELECT t.* FROM vault v, XMLTABLE('/a' PASSING v.mark COLUMNS i FOR ORDINALITY, x text PATH '.') t",
      ],
      [
        "XMLTABLE's default",
        "SELECT t.x FROM customers c, XMLTABLE('/a' PASSING ('<a/>'::xml) COLUMNS x text PATH 'b' DEFAULT c.ssn) t",
      ],
      [
        "XMLTABLE's path",
        "SELECT t.x FROM customers c, XMLTABLE('/a' PASSING ('<a/>'::xml) COLUMNS x text PATH ('\"' || c.ssn || '\"')) t",
      ],
      ["xpath_string of xml2", "SELECT xpath_string('<a>' || ssn || '</a>', '/a') FROM customers"],
    ]),
    ...since18(rows([["XMLTEXT", "SELECT xmltext(ssn) FROM customers"]])),
  ],
};

const composites: Group = {
  title: "Composites, arrays and whole rows",
  attacks: [
    ...kitRows("wholeRows"),
    ...rows([
      ["a row cast to its table", "SELECT ROW(c.*)::customers FROM customers c"],
      ["a whole row cast", "SELECT (c.*)::text FROM customers c"],
      ["a field of a composite column", "SELECT (pair).code FROM vault"],
      ["all fields of a composite column", "SELECT (pair).* FROM vault"],
      ["a field of an array's element", "SELECT (pairs[1]).no FROM vault"],
      ["a composite made of a value", "SELECT (ROW(ssn, 1)::pass).code FROM customers"],
      ["an array of rows", "SELECT ARRAY[ROW(ssn, id)] FROM customers"],
      ["array_agg of ROW", "SELECT array_agg(ROW(ssn)) FROM customers"],
      ["array_append", "SELECT array_append(ARRAY['x'], ssn) FROM customers"],
      ["array_prepend", "SELECT ssn || ARRAY['x'] FROM customers"],
      ["array_fill", "SELECT array_fill(card, ARRAY[2]) FROM customers"],
      ["array_replace", "SELECT array_replace(ARRAY['x'], 'x', ssn) FROM customers"],
      ["array_remove", "SELECT array_remove(tags, 'x') FROM vault"],
      ["an array of arrays", "SELECT ARRAY[ARRAY[ssn], ARRAY[card]] FROM customers"],
      ["a slice", "SELECT tags[1:1] FROM vault"],
      ["an element of an ARRAY sub-query", "SELECT (ARRAY(SELECT card FROM customers ORDER BY id))[1]"],
      ["a range of numbers", "SELECT int8range(big, NULL) FROM vault"],
      ["a multirange", "SELECT int4multirange(span) FROM vault"],
      ["record_out", "SELECT textin(record_out(c)) FROM customers c"],
      ["record_send", "SELECT record_send(c) FROM customers c"],
      ["hstore of a row", "SELECT hstore(c) FROM customers c"],
      ["hstore of a pair", "SELECT hstore('k', ssn) -> 'k' FROM customers"],
      ["a function of the row, made before", "SELECT short(c) FROM customers c"],
      ["a function of the row as a column, made before", "SELECT c.short FROM customers c"],
      ["a function of a clean table's row as a column, made before", "SELECT o.whose FROM orders o"],
      ["a function of a clean table's row as a field, made before", "SELECT (o).whose FROM orders o"],
      ["a row by its number", "SELECT c FROM customers c WHERE ctid = '(0,1)'"],
      ["rows of a view's type", "SELECT ROW(id, ssn)::app.plain FROM customers"],
      ["a whole row of vault", "SELECT v FROM vault v"],
      ["row_to_json of vault", "SELECT row_to_json(v) FROM vault v"],
      ["a star of vault", "SELECT * FROM vault"],
    ]),
  ],
};

export const VALUES: readonly Group[] = [aggregates, json, xml, composites];
