// A plain program as an agent would run it: the ordinary address, a placeholder password, no word of Sallyport.
import pg from "pg";

const [, , url] = process.argv;
const client = new pg.Client({ connectionString: url });
await client.connect();
const { rows } = await client.query("SELECT name, card, ssn FROM customers WHERE id = $1", [1]);
console.log(JSON.stringify(rows[0]));
try {
  await client.query("DROP TABLE customers");
  console.log("dropped");
} catch (error) {
  console.log(`${error.code}: ${error.message}`);
}
const { rows: left } = await client.query("SELECT count(*)::int AS customers FROM customers");
console.log(JSON.stringify(left[0]));
await client.end();
