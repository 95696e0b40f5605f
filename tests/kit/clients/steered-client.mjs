// A node-postgres program that does what it is told: one JSON object a line in, one out, any number at once.
import { createInterface } from "node:readline";
import pg from "pg";

const clients = new Map();

function said(error) {
  const { code = "", message, severity = "", detail = "", hint = "" } = error;
  return { code, message, severity, detail, hint };
}

/** Parse, Bind and Execute of each, in one write. Answers are the connection's matter: a client of pg knows one Sync at a time. */
class Pipeline {
  constructor(texts, syncs) {
    Object.assign(this, { texts, syncs });
  }
  submit(connection) {
    connection.stream.cork();
    for (const [at, text] of this.texts.entries()) {
      connection.parse({ text, name: "", types: [] });
      connection.bind({ portal: "", statement: "", values: [] });
      connection.execute({ portal: "", rows: 0 });
      if (this.syncs === "each" || at === this.texts.length - 1) connection.sync();
    }
    connection.stream.uncork();
  }
  handleCommandComplete() {}
  handleDataRow() {}
  handleError() {}
  handleReadyForQuery() {}
}

const acts = {
  async open({ name, url }) {
    const client = new pg.Client({ connectionString: url });
    const gone = new Promise((resolve) => {
      client.on("error", (error) => resolve(said(error)));
      client.on("end", () => resolve({ code: "", message: "ended" }));
    });
    clients.set(name, { client, gone });
    await client.connect();
    return {};
  },
  async ask({ name, sql, values }) {
    const { rows } = await clients.get(name).client.query({ text: sql, values, rowMode: "array" });
    return { rows };
  },
  async again({ name, sql, values }) {
    const { rows } = await clients.get(name).client.query({ name: "kept", text: sql, values, rowMode: "array" });
    return { rows };
  },
  async pipeline({ name, texts, syncs }) {
    const { client } = clients.get(name);
    let left = syncs === "each" ? texts.length : 1;
    await new Promise((resolve, reject) => {
      client.connection.once("errorMessage", reject);
      client.connection.once("end", () => reject(new Error("it ended without an error")));
      client.connection.on("readyForQuery", () => --left === 0 && resolve());
      client.query(new Pipeline(texts, syncs));
    });
    return {};
  },
  gone: ({ name }) => clients.get(name).gone,
  async drop({ name }) {
    clients.get(name).client.connection.stream.destroy();
    return {};
  },
  async close({ name }) {
    await clients.get(name).client.end();
    return {};
  },
};

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { id, act, ...rest } = JSON.parse(line);
    const answer = await acts[act](rest).catch((error) => said(error));
    process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
  })
  .on("close", () => process.exit(0));
