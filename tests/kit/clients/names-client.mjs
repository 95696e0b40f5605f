/** Asks names in the ways that programs do, each as told on the command line, and prints what came back as one JSON line. */
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { connect, isIP } from "node:net";
import { decode, encode } from "dns-packet";

const WAIT_MS = 4_000;

/** @type {Record<string, (job: any) => Promise<object>>} */
const ways = {
  /** c-ares, as node's own resolver. */
  async cares({ server, name, type }) {
    const resolver = new Resolver({ timeout: WAIT_MS, tries: 1 });
    resolver.setServers([server]);
    return { answers: (await resolver.resolve(name, type)).flat() };
  },
  unconnected: (job) => datagram(job, false),
  connected: (job) => datagram(job, true),
  stream: ({ server, port = 53, name, type, count = 1 }) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: server, port });
      socket.setTimeout(WAIT_MS, () => reject(new Error("ETIMEOUT")));
      socket.on("error", reject);
      let unread = Buffer.alloc(0);
      const answers = [];
      socket.on("connect", () => {
        for (let id = 0; id < count; id++) {
          const query = question(id, name, type);
          socket.write(Buffer.concat([Buffer.from([query.length >> 8, query.length & 255]), query]));
        }
      });
      socket.on("data", (bytes) => {
        unread = Buffer.concat([unread, bytes]);
        while (unread.length > 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
          answers.push(read(unread.subarray(2, 2 + unread.readUInt16BE(0))));
          unread = unread.subarray(2 + unread.readUInt16BE(0));
        }
        if (answers.length < count) return;
        resolve({ ...answers[0], count: answers.length, from: socket.remoteAddress });
        socket.destroy();
      });
    }),
  /** Dials, says nothing and hangs up. */
  dial: ({ server, port }) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: server, port });
      socket.setTimeout(WAIT_MS, () => reject(new Error("ETIMEOUT")));
      socket.on("error", reject);
      socket.on("connect", () => {
        resolve({ connected: true });
        socket.destroy();
      });
    }),
};

const results = [];
for (const job of JSON.parse(process.argv[2] ?? "[]")) {
  const startedMs = performance.now();
  const result = await ways[job.how]?.(job).catch((error) => ({ error: error.code ?? error.message }));
  results.push({ ...result, ms: Math.round(performance.now() - startedMs) });
}
console.log(JSON.stringify(results));

function datagram({ server, port = 53, name, type, raw }, isConnected) {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIP(server) === 4 ? "udp4" : "udp6");
    const timer = setTimeout(() => finish(reject, new Error("ETIMEOUT")), WAIT_MS);
    const finish = (how, what) => {
      clearTimeout(timer);
      socket.close();
      how(what);
    };
    const query = raw === undefined ? question(7, name, type) : Buffer.from(raw, "hex");
    socket.on("error", (error) => finish(reject, error));
    socket.on("message", (bytes, from) => finish(resolve, { ...read(bytes), from: from.address, fromPort: from.port }));
    const sent = (error) => error && finish(reject, error);
    if (isConnected) socket.connect(port, server, (error) => (error ? sent(error) : socket.send(query, sent)));
    else socket.send(query, port, server, sent);
  });
}

function question(id, name, type) {
  return encode({ type: "query", id, flags: 0x100, questions: [{ name, type }] });
}

function read(bytes) {
  const { flags, answers } = decode(bytes);
  return { rcode: flags & 15, answers: answers.map(({ data }) => data) };
}
