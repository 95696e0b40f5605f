/**
 * The kept corpus: conversations between a client and a PostgreSQL server as they went over the wire, one message a
 * line: ">" from the client or "<" from the server, its name, its bytes as hex, and behind "|" the same for eyes.
 * Knows the shape of messages, not what they mean.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Message {
  readonly from: "client" | "server";
  readonly bytes: Buffer;
}

export interface Conversation {
  readonly topic: string;
  readonly name: string;
  readonly messages: readonly Message[];
}

export const CORPUS = join(import.meta.dirname, "corpus");

const CLIENT_NAMES: Readonly<Record<string, string>> = {
  B: "Bind",
  C: "Close",
  d: "CopyData",
  c: "CopyDone",
  f: "CopyFail",
  D: "Describe",
  E: "Execute",
  H: "Flush",
  F: "FunctionCall",
  P: "Parse",
  p: "Password",
  Q: "Query",
  S: "Sync",
  X: "Terminate",
};
const SERVER_NAMES: Readonly<Record<string, string>> = {
  R: "Authentication",
  K: "BackendKeyData",
  "2": "BindComplete",
  "3": "CloseComplete",
  C: "CommandComplete",
  W: "CopyBothResponse",
  d: "CopyData",
  c: "CopyDone",
  G: "CopyInResponse",
  H: "CopyOutResponse",
  D: "DataRow",
  I: "EmptyQueryResponse",
  E: "ErrorResponse",
  V: "FunctionCallResponse",
  v: "NegotiateProtocolVersion",
  n: "NoData",
  N: "NoticeResponse",
  A: "NotificationResponse",
  t: "ParameterDescription",
  S: "ParameterStatus",
  "1": "ParseComplete",
  s: "PortalSuspended",
  Z: "ReadyForQuery",
  T: "RowDescription",
};
const SHOWN_BYTES = 60;

/** Every conversation of these topics, or of all. */
export function readCorpus(...topics: readonly string[]): readonly Conversation[] {
  const files = readdirSync(CORPUS).filter((name) => name.endsWith(".txt"));
  const wanted = files.filter((name) => topics.length === 0 || topics.includes(name.slice(0, -4)));
  return wanted
    .sort()
    .flatMap((name) => readConversations(name.slice(0, -4), readFileSync(join(CORPUS, name), "utf8")));
}

export function readConversations(topic: string, text: string): readonly Conversation[] {
  const conversations: { topic: string; name: string; messages: Message[] }[] = [];
  for (const line of text.split("\n")) {
    const [word = "", name = "", bytes = ""] = line.split(" ");
    if (word === "conversation") conversations.push({ topic, name, messages: [] });
    if (word !== ">" && word !== "<") continue;
    const from = word === ">" ? "client" : "server";
    conversations.at(-1)?.messages.push({ from, bytes: Buffer.from(bytes, "hex") });
  }
  return conversations;
}

export function conversationText({ name, messages }: Conversation): string {
  return [`conversation ${name}`, ...messages.map(lineOf), ""].join("\n");
}

export function lineOf({ from, bytes }: Message): string {
  const mark = from === "client" ? ">" : "<";
  return `${mark} ${nameOf(from, bytes)} ${bytes.toString("hex")}  | ${printable(bytes)}`;
}

export function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, SHOWN_BYTES))
    .toString("latin1")
    .replace(/[^ -~]/g, ".");
  return (bytes.length > SHOWN_BYTES ? `${text} …` : text).trimEnd();
}

/** A packet without a type byte has the name "Packet". */
export function nameOf(from: Message["from"], bytes: Uint8Array): string {
  const letter = String.fromCharCode(bytes[0] ?? 0);
  return (from === "client" ? CLIENT_NAMES : SERVER_NAMES)[letter] ?? "Packet";
}

/** Cuts bytes into whole messages; what is left over is the last of them. */
export function framesOf(bytes: Buffer): readonly Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.length - at < 5 ? 0 : bytes.readInt32BE(at + 1);
    const end = length < 4 ? bytes.length : Math.min(at + 1 + length, bytes.length);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}
