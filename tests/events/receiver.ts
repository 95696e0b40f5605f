/**
 * One HTTP receiver as a process of its own, so that it can be killed: `receiver.ts KIND PORT OUT [CERT KEY]`. Writes the
 * number of each event to OUT before it answers, as a real one would keep it. Now and then it answers as receivers do that
 * are not well: 503, 429, a part, or not at all after it has taken everything.
 */
import { createHmac } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { gunzipSync } from "node:zlib";
import { decodeLogs, encodeAnswer } from "../kit/otlp.ts";

const [kind = "", port = "", out = "", certificate, key] = process.argv.slice(2);
const HOOK_KEY = "a-key-for-signatures";
let requests = 0;

function keep(seqs: readonly (string | number)[], file = out): void {
  appendFileSync(file, seqs.map((seq) => `${seq}\n`).join(""));
}

function otlp(body: Buffer, headers: Readonly<Record<string, unknown>>, response: ServerResponse): void {
  const encoding = String(headers["content-type"]).includes("json") ? "json" : "protobuf";
  const { records } = decodeLogs(gunzipSync(body), encoding);
  const seqs = records.map(({ attributes, body: text }) => {
    const { seq } = JSON.parse(text) as { seq: number };
    if (attributes["sallyport.seq"] !== String(seq)) throw new Error("the attribute is not the event's number");
    return seq;
  });
  if (requests % 13 === 0 && seqs.length > 1) {
    keep(seqs.slice(0, 1), `${out}.rejected`);
    keep(seqs.slice(1));
    const answer = encodeAnswer(encoding, { rejected: 1, message: "one is too much" });
    response.writeHead(200, { "content-type": answer.contentType }).end(answer.body);
    return;
  }
  keep(seqs);
  if (requests % 17 === 0) response.destroy();
  else
    response.writeHead(200, { "content-type": String(headers["content-type"]) }).end(encoding === "json" ? "{}" : "");
}

function webhook(body: Buffer, headers: Readonly<Record<string, unknown>>, response: ServerResponse): void {
  const signed = createHmac("sha256", HOOK_KEY).update(`${headers["sallyport-timestamp"]}.`).update(body).digest("hex");
  if (headers["sallyport-signature"] !== `v1=${signed}`) {
    response.writeHead(400).end(); // the events go to the dead letters, and the trial finds them missing
    return;
  }
  keep((JSON.parse(body.toString("utf8")) as { events: { seq: number }[] }).events.map(({ seq }) => seq));
  if (requests % 17 === 0) response.destroy();
  else response.writeHead(204).end();
}

const files = certificate === undefined ? undefined : { cert: readFileSync(certificate), key: readFileSync(key ?? "") };
const server = files === undefined ? createServer() : createSecureServer(files);
server.on("request", async (request, response) => {
  const parts: Buffer[] = [];
  request.on("error", () => {});
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  requests += 1;
  if (requests % 7 === 0) return response.writeHead(503).end();
  if (requests % 11 === 0) return response.writeHead(429, { "retry-after": "0" }).end();
  if (kind === "otlp") return otlp(Buffer.concat(parts), request.headers, response);
  return webhook(Buffer.concat(parts), request.headers, response);
});
server.listen(Number(port), "127.0.0.1", () => console.log("listening"));
