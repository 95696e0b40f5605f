// A plain node-postgres program: no word of Sallyport.
import pg from "pg";

const client = new pg.Client({ connectionString: process.argv[2] });
let peer;
client.connection.stream.once("connect", function () {
  peer = [this.remoteAddress, this.remotePort];
});
await client.connect();
const { rows } = await client.query("SELECT current_user AS user, count(*)::int AS rows FROM customers");
console.log(JSON.stringify({ ...rows[0], peer }));
await client.end();
