// Four connections that send marked statements for a while, or until a file is there, and dial again whenever they are cut.
import { existsSync } from "node:fs";
import pg from "pg";

const [, , url, forMs, stopFile = ""] = process.argv;
let end = Date.now() + Number(forMs);
const watch = setInterval(() => {
  if (stopFile !== "" && existsSync(stopFile)) end = 0;
}, 50);
watch.unref();
let answered = 0;
let cut = 0;

async function worker(name) {
  for (let round = 0; Date.now() < end; round++) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    client.on("error", () => {});
    try {
      await client.connect();
      for (let at = 0; Date.now() < end; at++) {
        const mark = `${name}x${round}x${at}`;
        if (at % 2 === 0) await client.query(`SELECT ${at} /* mark ${mark} */`);
        else await client.query(`SELECT $1::int /* mark ${mark} */`, [at]);
        answered++;
      }
    } catch {
      cut++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await client.end().catch(() => {});
  }
}

await Promise.all(["a", "b", "c", "d"].map(worker));
console.log(`answered ${answered}, cut ${cut}`);
process.exit(0);
