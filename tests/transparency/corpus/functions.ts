/** Calls of built-in functions and operators whose answers do not depend on time, place or chance. */
import type { Topic } from "./case.ts";

function lines(text: string): readonly string[] {
  return text
    .trim()
    .split("\n")
    .map((line) => `SELECT ${line.trim()}`);
}

const TEXT = lines(String.raw`
upper('abc'), lower('ÄBC'), initcap('hello wORLD')
length('日本'), char_length('abc'), octet_length('日本'), bit_length('a')
substring('abcdef' FROM 2 FOR 3), substring('abcdef' FROM '.(c.)'), substr('abc', 2)
position('c' IN 'abc'), strpos('abc', 'z')
overlay('abcdef' PLACING 'XX' FROM 2 FOR 3)
trim(both 'x' FROM 'xxabcxx'), ltrim('  a'), rtrim('a  '), btrim('xyax', 'xy')
replace('aaa', 'a', 'bb'), translate('12345', '143', 'ax'), reverse('abc'), repeat('ab', 3)
lpad('7', 3, '0'), rpad('7', 3), left('abcdef', -2), right('abcdef', 2)
split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), string_to_array('1,2,,4', ',', '')
string_to_table('a b c', ' ')
concat('a', 1, NULL, true), concat_ws('-', 'a', NULL, 'b'), 'a' || 1
format('%s %I %L %% %2$s', 'one', 'two three', 'four''s')
quote_ident('Two words'), quote_literal(E'it''s\\'), quote_nullable(NULL)
ascii('é'), chr(233), to_hex(255)
md5('abc'), sha256('abc'), encode(sha512('abc'), 'base64')
encode('\x00ff', 'escape'), decode('AP8=', 'base64'), encode('\xdead', 'hex')
convert_from('\xc3a9', 'UTF8'), convert_to('é', 'LATIN1'), convert('\xc3a9', 'UTF8', 'LATIN1')
regexp_replace('foobar', 'o(.)', '[\1]', 'g'), regexp_match('foobar', '(o)(b)')
regexp_matches('a1b2c3', '([a-z])(\d)', 'g')
regexp_split_to_array('a, b,c', ',\s*'), regexp_split_to_table('a b', ' ')
regexp_count('aXbX', 'X'), regexp_instr('abc', 'c'), regexp_like('abc', '^a'), regexp_substr('a12', '\d+')
'abc' LIKE 'a%', 'abc' ILIKE 'A_C', 'abc' SIMILAR TO '(a|b)%', 'abc' ~ 'b', 'abc' ~* 'B', 'abc' !~ 'z', 'a%c' LIKE 'a!%c' ESCAPE '!'
starts_with('abc', 'ab'), 'abc' ^@ 'ab', 'a' < 'B' COLLATE "C"
normalize('é', NFD), 'é' IS NORMALIZED, unistr('\0041')
E'\x41\102\u0043\U00000044', U&'\0041\+000042', U&'d!0061' UESCAPE '!', $$dollar$$, $tag$with $$ inside$tag$
B'1010', X'1F', B'1010' & B'0110', ~B'1010', B'1010' << 1, get_bit(B'101', 0), set_bit(B'101', 1, 1)
get_byte('\x0102', 1), set_byte('\x0102', 0, 255), bit_count('\xff'), substring('\x010203' FROM 2)
to_char(1234567.891, 'FM9,999,999.00'), to_char(-5, 'S99'), to_char(12, 'RN'), to_char(0.5, '9.99EEEE')
to_number('1,234.5', '9,999.9'), to_ascii('abc', 'LATIN1')
parse_ident('a."B c"'), pg_size_pretty(123456789::bigint), pg_size_bytes('1.5 GB')
`);

const NUMBERS = lines(`
1 + 2 * 3 - 4 / 2, 7 % 3, 7 / 2, 7.0 / 2, -7 / 2, 2 ^ 10, |/ 2, ||/ 27, @ -5
5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 16 >> 2
abs(-1.5), ceil(1.2), floor(-1.2), round(2.5), round(2.567, 2), trunc(-1.9), sign(-3), mod(7, 4)
sqrt(2::numeric), cbrt(27.0), exp(1.0::numeric), ln(10::numeric), log(100.0), log(2.0, 64.0), power(2, 0.5)
sin(0.5), cos(0.5), tan(0.5), asin(0.5), acos(0.5), atan(0.5), atan2(1, 2), cot(1), sind(30), cosd(60), tand(45), atan2d(1, 1)
sinh(1), cosh(1), tanh(0.5), asinh(1), acosh(2), atanh(0.5)
degrees(1.0), radians(180), pi()
div(7, 2), gcd(12, 18), lcm(4, 6), factorial(10), scale(1.500), min_scale(1.500), trim_scale(1.500)
width_bucket(5.35, 0.024, 10.06, 5), width_bucket(5, ARRAY[1, 3, 8])
greatest(1, 3, NULL), least('b', 'a'), nullif(1, 1), coalesce(NULL, 2)
1e10, .5, 1., 0x1F, 1_000, 'NaN'::float8 = 'NaN'::float8
setseed(0.25)
random() BETWEEN 0 AND 1
num_nulls(1, NULL), num_nonnulls(1, NULL), 1 IS DISTINCT FROM NULL, NULL IS NOT DISTINCT FROM NULL
1 BETWEEN 0 AND 2, 3 BETWEEN SYMMETRIC 5 AND 1, 1 IN (1, 2), 1 = ANY (ARRAY[1, 2]), 1 < ALL (ARRAY[2, 3])
(NULL IS TRUE), (true IS NOT FALSE), (NULL::bool IS UNKNOWN), NOT true, true AND NULL, false OR NULL
CASE WHEN 1 > 2 THEN 'a' WHEN NULL THEN 'b' ELSE 'c' END, CASE 3 WHEN 1 THEN 'x' WHEN 3 THEN 'y' END
int4(3.7), float8(1), numeric '1.5', int '7', cast('1' AS int), 1::text
9223372036854775807 - 1, 170141183460469231731687303715884105727, 1::int2 + 1::int8
hashtext('abc'), hashint4(42), hashfloat8(1.5), hash_array(ARRAY[1, 2])
`);

const DATES = lines(`
date '2024-02-29' + 1, date '2024-03-01' - date '2024-02-01', date '2024-01-31' + interval '1 month'
timestamp '2024-01-01 10:00' - timestamp '2023-12-31 09:30', timestamp '2024-01-01' + time '10:00'
extract(epoch FROM timestamptz '2024-01-01 00:00+00'), extract(isodow FROM date '2024-02-29'), date_part('week', date '2024-12-30')
extract(century FROM date '2001-01-01'), extract(julian FROM timestamp '2024-01-01 12:00'), extract(timezone FROM timestamptz '2024-01-01 00:00+00')
date_trunc('month', timestamp '2024-02-29 12:34'), date_trunc('hour', timestamptz '2024-02-29 12:34+00', 'Asia/Tokyo'), date_trunc('day', interval '3 days 5 hours')
date_bin('15 minutes', timestamp '2024-02-11 15:44:17', timestamp '2001-01-01')
age(timestamp '2024-03-01', timestamp '2023-01-31'), justify_days(interval '35 days'), justify_hours(interval '27 hours'), justify_interval(interval '1 mon -1 hour')
make_date(2024, 2, 29), make_time(8, 15, 23.5), make_timestamp(2024, 1, 2, 3, 4, 5.5), make_timestamptz(2024, 1, 2, 3, 4, 5, 'UTC'), make_interval(years => 1, days => 10)
to_timestamp(1284352323.5), to_timestamp('05 Dec 2000', 'DD Mon YYYY'), to_date('20240229', 'YYYYMMDD')
to_char(timestamp '2024-02-29 13:14:15.678', 'YYYY-MM-DD HH24:MI:SS.MS Day Month TZ IYYY IW Q J'), to_char(interval '15h 2m', 'HH24:MI')
timestamp '2024-07-01 12:00' AT TIME ZONE 'Europe/Berlin', timestamptz '2024-07-01 12:00+00' AT TIME ZONE 'America/New_York', timezone('UTC', timestamptz '2024-01-01 00:00+05')
(date '2024-01-01', date '2024-02-01') OVERLAPS (date '2024-01-15', interval '1 month')
isfinite(date 'infinity'), isfinite(interval '1 day')
interval '1 day' * 2.5, interval '1 hour' / 3, -interval '1 day', interval '1-2', interval '1 2:03' DAY TO MINUTE, interval '5' HOUR
date 'epoch', timestamp 'epoch', date '2024-01-01' < timestamp '2024-01-01 00:01'
generate_series(timestamp '2024-01-01', timestamp '2024-01-03', interval '12 hours')
time '10:00' + interval '15 hours', timetz '10:00+02' AT TIME ZONE 'UTC'
`);

const ARRAYS = lines(String.raw`
ARRAY[1, 2] || 3, 0 || ARRAY[1], ARRAY[1, 2] || ARRAY[3], array_append(ARRAY[1], 2), array_prepend(0, ARRAY[1]), array_cat(ARRAY[1], ARRAY[2])
array_length(ARRAY[[1, 2], [3, 4]], 2), array_dims(ARRAY[[1], [2]]), array_ndims(ARRAY[1]), array_lower('[2:3]={1,2}'::int[], 1), array_upper(ARRAY[1, 2], 1), cardinality(ARRAY[[1, 2], [3, 4]])
array_position(ARRAY['a', 'b'], 'b'), array_positions(ARRAY[1, 2, 1], 1), array_remove(ARRAY[1, 2, 1], 1), array_replace(ARRAY[1, 2], 2, 3)
array_to_string(ARRAY[1, NULL, 3], ',', '*'), array_fill(7, ARRAY[2, 2]), trim_array(ARRAY[1, 2, 3], 2)
ARRAY[1, 2, 3] @> ARRAY[1], ARRAY[1] <@ ARRAY[1, 2], ARRAY[1] && ARRAY[2], ARRAY[1, 2] = ARRAY[1, 2], ARRAY[1, 2] < ARRAY[1, 3]
(ARRAY[10, 20, 30])[2], (ARRAY[10, 20, 30])[2:3], (ARRAY[[1, 2], [3, 4]])[2][1], ('{a,"b,c",NULL,"NULL"}'::text[])[3] IS NULL
ARRAY(SELECT id FROM tree WHERE id < 4 ORDER BY id), ARRAY[]::int[], '{}'::text[], '{{1,2},{3,4}}'::int[]
unnest(ARRAY[[1, 2], [3, 4]]), unnest(ARRAY['a', 'b'])
* FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) WITH ORDINALITY AS t(n, s, o)
generate_subscripts(ARRAY[1, 2, 3], 1, true)
ARRAY['a "q"', 'b\c', '', 'null'], ARRAY[ROW(1, 'x')::pair], '[0:1]={5,6}'::int[]
array_agg(id ORDER BY id DESC), array_agg(ARRAY[id, parent] ORDER BY id) FROM tree WHERE id < 4
(ARRAY[1, 2, 3])[5], NULL::int[] || 1, array_ndims('{}'::int[])
`);

const DOCUMENTS = lines(`
'{"a": {"b": [1, 2]}}'::jsonb -> 'a' -> 'b' -> 1, '{"a": 1}'::json ->> 'a', '{"a": {"b": 2}}'::jsonb #> '{a,b}', '[1, 2]'::jsonb ->> -1, ('{"a": 1}'::jsonb)['a']
'{"a": 1, "b": 2}'::jsonb @> '{"a": 1}', '{"a": 1}'::jsonb ? 'a', '{"a": 1}'::jsonb ?| ARRAY['b', 'a'], '{"a": 1}'::jsonb ?& ARRAY['a', 'b']
'{"a": 1}'::jsonb || '{"b": 2}', '{"a": 1, "b": 2}'::jsonb - 'a', '[1, 2, 3]'::jsonb - 1, '{"a": {"b": 1}}'::jsonb #- '{a,b}'
'{"a": [1, 2, 3]}'::jsonb @? '$.a[*] ? (@ > 2)', '{"a": 5}'::jsonb @@ '$.a > 2'
to_json('a "quoted" text'::text), to_jsonb(ARRAY[1, 2]), array_to_json(ARRAY[[1], [2]]), row_to_json(ROW(1, 'x'))
json_build_array(1, 'a', NULL), json_build_object('a', 1, 'b', ARRAY[1]), json_object('{a,1,b,2}'), jsonb_object(ARRAY['a'], ARRAY['1'])
json_array_length('[1, 2]'), jsonb_typeof('null'), json_typeof('{"a": 1}'), jsonb_strip_nulls('{"a": null, "b": 1}')
* FROM json_each('{"a": 1, "b": "x"}')
* FROM jsonb_each_text('{"a": null, "b": [1]}')
json_object_keys('{"b": 1, "a": 2}')
* FROM json_array_elements('[1, {"a": 2}, null]')
* FROM jsonb_to_record('{"a": 1, "b": "x", "c": [1, 2]}') AS t(a int, b text, c int[])
* FROM json_populate_recordset(NULL::pair, '[{"n": 1, "label": "x"}, {"n": 2}]')
jsonb_set('{"a": 1}', '{b}', '2'), jsonb_insert('[1, 2]', '{1}', '9'), jsonb_pretty('{"a": [1, {"b": 2}]}'), jsonb_set_lax('{"a": 1}', '{a}', NULL, true, 'delete_key')
jsonb_path_query('{"a": [1, 2, 3]}', '$.a[*] ? (@ >= 2)'), jsonb_path_exists('{"a": 1}', '$.b')
jsonb_path_query_array('[1, "2", null]', '$[*].type()'), jsonb_path_query_first('{"t": "12:34"}', '$.t.datetime()'), jsonb_path_match('{"a": 2}', 'exists($.a ? (@ == 2))')
json_agg(id ORDER BY id), jsonb_agg(label ORDER BY id), json_object_agg(id, label ORDER BY id), jsonb_object_agg(label, id) FROM tree WHERE id < 4
row_to_json(t), row_to_json(t, true), to_jsonb(t) - 'parent' FROM tree AS t WHERE id = 3
query_to_xml('SELECT 1 AS a', true, false, ''), table_to_xml('pg_am', false, true, '') IS NOT NULL
xmlelement(name a, xmlattributes(1 AS x), 'text'), xmlforest(1 AS a, 2 AS b), xmlconcat('<a/>', '<b/>'), xmlpi(name php), xmlcomment('c'), xmlparse(content 'x<b/>'), xmlserialize(content '<a/>' AS text)
xpath('/a/b/text()', '<a><b>1</b><b>2</b></a>'), xmlexists('//b' PASSING '<a><b/></a>'), xml_is_well_formed('<a>')
`);

const RANGES = lines(`
int4range(1, 5), int4range(1, 5, '[]'), numrange(NULL, 2.5), daterange('2024-01-01', '2024-02-01')
int4range(1, 5) @> 3, int4range(1, 5) && int4range(4, 9), int4range(1, 5) << int4range(6, 9), int4range(1, 3) -|- int4range(3, 5), int4range(1, 5) * int4range(3, 9), int4range(1, 5) + int4range(4, 9), int4range(1, 5) - int4range(3, 9)
lower(int4range(1, 5)), upper(int4range(1, 5)), isempty('empty'::int4range), lower_inc(int4range(1, 5)), upper_inf(int4range(1, NULL)), range_merge(int4range(1, 2), int4range(5, 9))
int4multirange(int4range(1, 3), int4range(5, 7)), '{[1,3),[2,5)}'::int4multirange, unnest('{[1,3),[5,7)}'::int4multirange), range_agg(spans) FROM docs WHERE id < 4 GROUP BY ()
range_intersect_agg(spans) FROM docs WHERE id < 4
point '(1,2)' + point '(1,1)', box '((0,0),(2,2))' @> point '(1,1)', circle '((0,0),1)' && circle '((1,1),1)', lseg '((0,0),(1,1))' <-> point '(2,2)', area(box '((0,0),(2,3))'), center(circle '((1,2),3)')
path '((0,0),(1,1))' || path '((2,2),(3,3))', npoints(polygon '((0,0),(1,1),(2,0))'), isclosed(path '((0,0),(1,1))'), popen(path '((0,0),(1,1))'), diagonal(box '((0,0),(1,1))'), polygon(6, circle '((0,0),1)'), slope(point '(0,0)', point '(1,2)')
inet '192.168.1.5/24' << inet '192.168.0.0/16', broadcast(inet '192.168.1.5/24'), host(inet '10.0.0.1/8'), netmask(inet '10.0.0.1/8'), network(inet '10.1.2.3/8'), masklen(inet '10.0.0.1/8'), family(inet '::1'), abbrev(cidr '10.1.0.0/16'), set_masklen(inet '10.0.0.1', 8), inet '10.0.0.1' + 5, inet_merge(inet '10.0.0.1', inet '10.0.1.1'), macaddr8_set7bit('08:00:2b:01:02:03:04:05'), trunc(macaddr '08:00:2b:01:02:03')
to_tsvector('english', 'The quick brown foxes'), to_tsquery('english', 'fox & quick'), plainto_tsquery('english', 'quick fox'), phraseto_tsquery('english', 'quick fox'), websearch_to_tsquery('english', '"quick fox" -dog'), to_tsvector('english', 'a fox') @@ to_tsquery('english', 'fox')
ts_rank(to_tsvector('english', 'fox fox'), to_tsquery('english', 'fox')), ts_headline('english', 'the quick fox', to_tsquery('english', 'fox')), setweight('a:1'::tsvector, 'A'), strip('a:1'::tsvector), length('a b'::tsvector), numnode('a & b'::tsquery), querytree('a & !b'::tsquery), tsvector_to_array('b:2 a:1'::tsvector), ts_delete('a b'::tsvector, 'a'), ts_filter('a:1A b:2B'::tsvector, '{a}'), array_to_tsvector(ARRAY['a']), ts_rewrite('a & b'::tsquery, 'a'::tsquery, 'c'::tsquery), tsquery_phrase('a'::tsquery, 'b'::tsquery, 2)
* FROM ts_debug('english', 'A fox-trot 12 a@b.c')
* FROM ts_stat('SELECT words FROM docs WHERE id < 3') ORDER BY word
* FROM ts_parse('default', 'foo bar 1')
* FROM ts_token_type('default') WHERE tokid < 4
ts_lexize('english_stem', 'stars'), get_current_ts_config()
enum_first(NULL::mood), enum_last(NULL::mood), enum_range(NULL::mood), enum_range('ok'::mood, NULL), 'sad'::mood < 'happy'::mood
uuid_nil() IS NULL
xid8 '5' < xid8 '7', pg_lsn '0/10' - pg_lsn '0/0', pg_lsn '0/10' + 16, txid_snapshot_xmin('10:20:10,14'), pg_snapshot_xip('10:20:10,14,15'), pg_visible_in_snapshot('5', '10:20:')
`);

const AGGREGATES = lines(`
count(*), count(DISTINCT person), sum(amount), avg(amount), min(amount), max(note), stddev(amount), variance(amount) FROM orders
bool_and(amount > 0), bool_or(amount > 290), every(id > 0), bit_and(id), bit_or(id), bit_xor(id), product(id % 3 + 1) FROM orders WHERE id < 9
string_agg(label, ', ' ORDER BY id), string_agg(DISTINCT left(label, 4), '') FROM tree WHERE id < 6
corr(id, amount), covar_pop(id, amount), regr_slope(amount, id), regr_count(amount, id), regr_r2(amount, id) FROM orders
percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY id), mode() WITHIN GROUP (ORDER BY state) FROM orders
rank(5.0) WITHIN GROUP (ORDER BY amount), dense_rank(5.0) WITHIN GROUP (ORDER BY amount), percent_rank(5.0) WITHIN GROUP (ORDER BY amount), cume_dist(5.0) WITHIN GROUP (ORDER BY amount) FROM orders
count(*) FILTER (WHERE state = 'done'), sum(amount) FILTER (WHERE false) FROM orders
id, row_number() OVER (ORDER BY id DESC), rank() OVER (PARTITION BY parent ORDER BY id), lag(label) OVER w, lead(label, 2, 'none') OVER w FROM tree WINDOW w AS (ORDER BY id) ORDER BY id
id, first_value(id) OVER w, last_value(id) OVER w, nth_value(id, 2) OVER w, ntile(3) OVER (ORDER BY id), percent_rank() OVER (ORDER BY parent), cume_dist() OVER (ORDER BY parent) FROM tree WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) ORDER BY id
id, sum(id) OVER (ORDER BY id RANGE BETWEEN 2 PRECEDING AND CURRENT ROW), sum(id) OVER (ORDER BY parent GROUPS 1 PRECEDING EXCLUDE TIES) FROM tree WHERE parent IS NOT NULL ORDER BY id
any_value(7), array_agg(DISTINCT parent) FROM tree
grouping(state), state, count(*) FROM orders GROUP BY ROLLUP (state) ORDER BY state
`);

const SYSTEM = lines(String.raw`
current_user, session_user, current_role, user, current_schema, current_schemas(false), current_catalog
version() LIKE 'PostgreSQL %', pg_backend_pid() > 0, inet_client_addr() IS NULL OR true
current_setting('search_path'), current_setting('no.such', true), set_config('my.var', 'x', false), current_setting('my.var')
has_table_privilege('clerk', 'people', 'SELECT'), has_column_privilege('clerk', 'people', 'id', 'UPDATE'), has_schema_privilege('public', 'USAGE'), has_function_privilege('clerk', 'add_one(int)', 'EXECUTE'), pg_has_role('clerk', 'MEMBER')
to_regclass('people'), to_regclass('nothing'), to_regtype('int'), to_regproc('now'), 'people'::regclass::oid = to_regclass('public.people')::oid
pg_get_viewdef('grown'::regclass), pg_get_indexdef('orders_placed'::regclass), pg_get_functiondef('add_one'::regproc)
pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'orders'::regclass ORDER BY conname
pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'watched'::regclass
pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'orders'::regclass
format_type(1700, 655366), col_description('people'::regclass, 1), obj_description('people'::regclass, 'pg_class'), pg_typeof(1.5), pg_get_serial_sequence('filled', 'id')
relname, relkind, relnatts FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname
attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'people'::regclass AND attnum > 0 ORDER BY attnum
table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position
proname, prokind, provolatile FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY proname
typname, typtype FROM pg_type WHERE typnamespace = 'public'::regnamespace ORDER BY typname
name, setting, unit, vartype FROM pg_settings WHERE name IN ('work_mem', 'search_path', 'max_connections', 'wal_level') ORDER BY name
rolname, rolcanlogin FROM pg_roles WHERE rolname IN ('clerk', 'reader', 'postgres') ORDER BY rolname
nextval('tickets'), currval('tickets'), lastval()
setval('tickets', 500), setval('tickets', 600, false), last_value, is_called FROM tickets
pg_advisory_lock(7), pg_try_advisory_lock(7), pg_advisory_unlock(7), pg_advisory_unlock(7), pg_advisory_unlock_all()
pg_relation_size('tree'), pg_table_size('tree') > 0, pg_column_size('abc'::text), pg_column_compression('abc'::text)
txid_current_if_assigned() IS NULL, pg_current_xact_id_if_assigned() IS NULL, pg_is_in_recovery(), pg_export_snapshot() IS NOT NULL
pg_char_to_encoding('UTF8'), pg_encoding_to_char(6), getdatabaseencoding(), pg_client_encoding()
pg_sleep(0), pg_listening_channels()
pg_identify_object('pg_class'::regclass, 'tree'::regclass, 0), pg_describe_object('pg_class'::regclass, 'tree'::regclass, 1)
aclexplode(relacl) FROM pg_class WHERE relname = 'people'
makeaclitem('clerk'::regrole, 'postgres'::regrole, 'SELECT', false), acldefault('r', 'postgres'::regrole)
pg_input_is_valid('42', 'integer'), (pg_input_error_info('4x', 'integer')).message
lo_create(4711), lo_put(4711, 0, '\x0102ff'), lo_get(4711), lo_from_bytea(4712, '\xaa'), lo_unlink(4711), lo_unlink(4712)
`);

export const FUNCTION_TOPICS: readonly Topic[] = [
  { title: "text functions", statements: TEXT },
  { title: "numbers and conditions", statements: NUMBERS },
  { title: "dates and times", statements: DATES },
  { title: "arrays", statements: ARRAYS },
  { title: "json and xml", statements: DOCUMENTS },
  { title: "ranges, shapes, networks, text search", statements: RANGES },
  { title: "aggregates and windows", statements: AGGREGATES },
  { title: "catalog and system", statements: SYSTEM },
];
