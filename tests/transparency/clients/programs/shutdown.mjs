// A plain node-postgres program: what its connections hear when the server goes down.
import pg from "pg";

async function connected(name) {
  const client = new pg.Client({ ssl: { rejectUnauthorized: true, servername: "localhost" } });
  const heard = [];
  client.on("error", ({ severity, code, message }) => heard.push(["error", severity, code, message]));
  await client.connect();
  const ended = new Promise((resolve) => client.once("end", resolve));
  return { name, client, heard, ended };
}

const [rest, open, work] = [
  await connected("at rest"),
  await connected("in a transaction"),
  await connected("at work"),
];
await rest.client.query("SELECT 1");
await open.client.query("BEGIN; INSERT INTO scratch VALUES (99999, 'lost')");
await work.client
  .query("SELECT pg_sleep(60)")
  .catch(({ severity, code, message }) => work.heard.push(["failed", severity, code, message]));
for (const { name, ended, heard } of [rest, open, work]) {
  await ended;
  console.log(JSON.stringify([name, ...heard]));
}
