// A plain node-postgres program that runs one statement and prints how many rows it changed.
import pg from "pg";

const [, , connectionString, text] = process.argv;
const client = new pg.Client({ connectionString });
await client.connect();
const { rowCount } = await client.query(text);
console.log(rowCount);
await client.end();
