// A plain node-postgres program: no word of Sallyport.
import pg from "pg";

const say = (...words) => console.log(...words.map((word) => (typeof word === "string" ? word : JSON.stringify(word))));
const failing = (what) =>
  what.then(
    () => say("no error"),
    (error) =>
      say(
        error.severity,
        error.code,
        error.message,
        error.detail ?? "",
        error.hint ?? "",
        error.position ?? "",
        error.constraint ?? "",
      ),
  );
const client = new pg.Client({ ssl: { rejectUnauthorized: true, servername: "localhost" } });
const notices = [];
const notifications = [];
client.on("notice", ({ severity, message, detail }) => notices.push([severity, message, detail]));
client.on("notification", ({ channel, payload, processId }) =>
  notifications.push([channel, payload, processId === client.processID]),
);
await client.connect();

await client.query(
  "CREATE TABLE by_node (id int PRIMARY KEY, v text, n numeric, at timestamptz, j jsonb, b bytea, a int[])",
);
const insert = "INSERT INTO by_node VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *";
for (const id of [1, 2, 3]) {
  const values = [
    id,
    `text ${id}`,
    `${id}.50`,
    new Date(Date.UTC(2024, 0, id)),
    { id, list: [id] },
    Buffer.from([0, id]),
    [id, null],
  ];
  say((await client.query(insert, values)).rows);
}
say((await client.query({ name: "kept", text: "SELECT v, j FROM by_node WHERE id = $1", values: [1] })).rows);
say((await client.query({ name: "kept", text: "SELECT v, j FROM by_node WHERE id = $1", values: [2] })).rows);
const typed = await client.query({
  text: "SELECT 1::int8, 1.5::float8, true, NULL, 'x'::\"char\", interval '1 day', '{1,2}'::text[], point '(1,2)'",
  rowMode: "array",
});
say(
  typed.rows,
  typed.fields.map(({ name, dataTypeID, format }) => [name, dataTypeID, format]),
  typed.command,
  typed.rowCount,
);
say(
  (await client.query({ text: "SELECT id, code FROM docs ORDER BY id LIMIT 3", rowMode: "array", binary: true })).rows,
);
say(
  (await client.query("SELECT 1 AS a; SELECT 2 AS b, 3 AS c; UPDATE by_node SET n = 0 WHERE id > 1")).map(
    ({ command, rowCount, rows }) => [command, rowCount, rows],
  ),
);
await failing(client.query("SELECT 1 / 0"));
await failing(client.query("INSERT INTO by_node (id) VALUES ($1)", [1]));
await failing(client.query("SELECT missing FROM people"));
await failing(client.query("SELECT $1::int", ["x"]));
await client.query("BEGIN");
await client.query("DELETE FROM by_node");
await failing(client.query("SELECT 'x'::int"));
await failing(client.query("SELECT 1"));
await client.query("ROLLBACK");
say((await client.query("SELECT count(*) FROM by_node")).rows);
// Ten queries queued at once.
say(
  await Promise.all(
    Array.from({ length: 10 }, (_, n) => client.query("SELECT $1::int * 2 AS n", [n]).then(({ rows }) => rows[0].n)),
  ),
);
await client.query("LISTEN news");
await client.query("SELECT pg_notify('news', 'payload')");
await client.query("SELECT shout('notice')");
say(notifications, notices);
const long = (await client.query("SELECT repeat('é', 2000000) AS long")).rows[0].long;
say(long.length);
await client.query("DROP TABLE by_node");
await client.end();

const pool = new pg.Pool({ max: 4, ssl: { rejectUnauthorized: true, servername: "localhost" } });
const all = await Promise.all(
  Array.from({ length: 40 }, (_, n) => pool.query("SELECT $1::int AS n, count(*)::int AS people FROM people", [n])),
);
say(all.map(({ rows }) => rows[0]));
await pool.end();
