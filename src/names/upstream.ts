/**
 * Asks nameservers: a fresh id, source port and spelling for every question, over UDP, and over TCP where the answer
 * is cut or somebody spells it otherwise. Takes one answer, from the server that was asked, to the question that was
 * asked. Decides nothing about names.
 */
import { randomBytes, randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIP } from "node:net";
import { UserError } from "../base/errors.ts";
import { NAMES_ANSWER_BYTES_MAX, NAMES_DATAGRAM_WAIT_MS, NAMES_STREAM_WAIT_MS, NAMES_WAIT_MS } from "../base/limits.ts";
import { type Answered, type ReadAnswer, readAnswer, writeQuestion } from "./message.ts";

export interface Server {
  readonly address: string;
  readonly port: number;
}

export type Ask = (name: string, type: number) => Promise<Answered>;

type Tried = ReadAnswer | { readonly kind: "silent" };

/** Each server twice. */
const ROUNDS = 2;

/** Throws NAMES_UPSTREAM when no server gives an answer in time. */
export function createAsk(servers: () => readonly Server[]): Ask {
  return async (name, type) => {
    const endMs = performance.now() + NAMES_WAIT_MS;
    const all = servers();
    for (const server of Array.from({ length: ROUNDS }, () => all).flat()) {
      if (performance.now() >= endMs) break;
      const answer = await tryServer(server, name, type);
      if (answer !== undefined) return answer;
    }
    throw new UserError(
      "NAMES_UPSTREAM",
      `Cannot resolve a name: none of ${all.length} nameservers gave an answer`,
      "Check names.servers in the settings, or the host's /etc/resolv.conf",
    );
  };
}

async function tryServer(server: Server, name: string, type: number): Promise<Answered | undefined> {
  const tried = await overDatagram(server, name, type);
  if (tried.kind === "answer") return tried.answered;
  if (tried.kind !== "truncated" && tried.kind !== "foreign") return undefined;
  const again = await overStream(server, name, type);
  return again.kind === "answer" ? again.answered : undefined;
}

function overDatagram(server: Server, name: string, type: number): Promise<Tried> {
  return new Promise((resolve) => {
    const socket = createSocket(isIP(server.address) === 4 ? "udp4" : "udp6");
    let foreign: Tried = { kind: "silent" };
    let isOver = false;
    const finish = (tried: Tried) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on("error", () => {}); // what comes after the end is nobody's
      socket.close();
      resolve(tried);
    };
    const timer = setTimeout(() => finish(foreign), NAMES_DATAGRAM_WAIT_MS);
    const id = randomInt(0x1_0000);
    const spelled = mixCase(name);
    socket.on("error", () => finish({ kind: "failed" }));
    socket.on("message", (bytes) => {
      const read = readAnswer(bytes, { id, name: spelled, type, spelling: "exact" });
      if (read.kind !== "foreign") return finish(read);
      // a guess, or a server that does not keep the spelling: TCP tells which, and who guesses gains nothing
      foreign = read;
      if (readAnswer(bytes, { id, name: spelled, type, spelling: "any" }).kind !== "foreign") finish(foreign);
    });
    socket.on("connect", () => {
      socket.send(writeQuestion(id, spelled, type), (error) => {
        if (error !== null) finish({ kind: "failed" });
      });
    });
    // connected: the kernel drops datagrams from anybody else. Without a callback, which would be told of a failure as of success
    socket.connect(server.port, server.address);
  });
}

function overStream(server: Server, name: string, type: number): Promise<Tried> {
  return new Promise((resolve) => {
    const id = randomInt(0x1_0000);
    const spelled = mixCase(name);
    const socket = connect({ host: server.address, port: server.port });
    const finish = (tried: Tried) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(tried);
    };
    const timer = setTimeout(() => finish({ kind: "silent" }), NAMES_STREAM_WAIT_MS);
    let unread = Buffer.alloc(0);
    socket.on("error", () => finish({ kind: "failed" }));
    socket.on("close", () => finish({ kind: "failed" }));
    socket.on("connect", () => {
      const question = writeQuestion(id, spelled, type);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(question.length);
      socket.write(Buffer.concat([length, question]));
    });
    socket.on("data", (bytes: Buffer) => {
      unread = Buffer.concat([unread, bytes]);
      if (unread.length < 2 || unread.length < 2 + unread.readUInt16BE(0)) {
        if (unread.length > 2 + NAMES_ANSWER_BYTES_MAX) finish({ kind: "failed" });
        return;
      }
      const message = unread.subarray(2, 2 + unread.readUInt16BE(0));
      finish(readAnswer(message, { id, name: spelled, type, spelling: "any" }));
    });
  });
}

/** Random capitals: what an answer must repeat, and who does not see the question cannot. Source: draft-vixie-dnsext-dns0x20. */
function mixCase(name: string): string {
  const bits = randomBytes(name.length);
  return [...name].map((letter, index) => ((bits[index] ?? 0) & 1 ? letter.toUpperCase() : letter)).join("");
}
