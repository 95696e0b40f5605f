/**
 * The messages that Sallyport itself writes, and the type bytes of all that it reads.
 * Source: PostgreSQL manual, chapter "Frontend/Backend Protocol", "Message Formats". Holds no state.
 */
import { frame } from "./codec.ts";

/** What a client sends after the startup. */
export const CLIENT = {
  bind: 0x42,
  close: 0x43,
  copyData: 0x64,
  copyDone: 0x63,
  copyFail: 0x66,
  describe: 0x44,
  execute: 0x45,
  flush: 0x48,
  functionCall: 0x46,
  parse: 0x50,
  password: 0x70,
  query: 0x51,
  sync: 0x53,
  terminate: 0x58,
} as const;

/** What a server sends. */
export const SERVER = {
  authentication: 0x52,
  backendKeyData: 0x4b,
  bindComplete: 0x32,
  closeComplete: 0x33,
  commandComplete: 0x43,
  copyBoth: 0x57,
  copyData: 0x64,
  copyDone: 0x63,
  copyIn: 0x47,
  copyOut: 0x48,
  dataRow: 0x44,
  emptyQuery: 0x49,
  error: 0x45,
  functionCall: 0x56,
  negotiate: 0x76,
  noData: 0x6e,
  notice: 0x4e,
  notification: 0x41,
  parameterDescription: 0x74,
  parameterStatus: 0x53,
  parseComplete: 0x31,
  portalSuspended: 0x73,
  readyForQuery: 0x5a,
  rowDescription: 0x54,
} as const;

export const PROTOCOL_3_0 = 0x0003_0000;
export const CANCEL_REQUEST = 80_877_102;
export const SSL_REQUEST = 80_877_103;
export const GSSENC_REQUEST = 80_877_104;

/** One field of an ErrorResponse or NoticeResponse: its letter and its text. */
export type ErrorField = readonly [letter: string, text: string];

export function errorResponse(fields: readonly ErrorField[]): Buffer {
  return frame(SERVER.error, errorBody(fields));
}

/** The body that ErrorResponse and NoticeResponse share. */
export function errorBody(fields: readonly ErrorField[]): Buffer {
  return Buffer.concat([...fields.map(([letter, text]) => cstring(letter + text)), Buffer.of(0)]);
}

/** For whoever meets it: the agent can only wait. */
const NO_ROOM =
  "Try again later. Whoever runs Sallyport has to make room on the disk of its state folder; sallyport doctor says more.";

export function fatal(code: string, message: string, sessionId: string): Buffer {
  return errorResponse([
    ["S", "FATAL"],
    ["V", "FATAL"],
    ["C", code],
    ["M", message],
    ["D", `Sallyport session ${sessionId}`],
    ...(code === "53100" ? [["H", NO_ROOM] as const] : []),
  ]);
}

/** A statement waits for a human: clients show it and go on waiting. */
export function holdNotice(message: string): Buffer {
  const fields = [
    ["S", "NOTICE"],
    ["V", "NOTICE"],
    ["C", "00000"],
    ["M", message],
  ] as const;
  return frame(SERVER.notice, errorBody(fields));
}

export function authenticationOk(): Buffer {
  return frame(SERVER.authentication, int32(0));
}

export function backendKeyData(key: Uint8Array): Buffer {
  return frame(SERVER.backendKeyData, key);
}

/** `status`: I idle, T in a transaction, E in a failed one. */
export function readyForQuery(status: string): Buffer {
  return frame(SERVER.readyForQuery, Buffer.from(status, "latin1"));
}

/** Tells a client that asked for more that it gets 3.`minor` and none of the `options`. */
export function negotiateProtocolVersion(minor: number, options: readonly string[]): Buffer {
  return frame(
    SERVER.negotiate,
    Buffer.concat([int32(PROTOCOL_3_0 + minor), int32(options.length), ...options.map((option) => cstring(option))]),
  );
}

/** CommandComplete. */
export function completed(tag: string): Buffer {
  return frame(SERVER.commandComplete, cstring(tag));
}

export function query(text: string): Buffer {
  return frame(CLIENT.query, cstring(text));
}

export function parse(name: string, text: string): Buffer {
  return frame(CLIENT.parse, Buffer.concat([cstring(name), cstring(text), Buffer.of(0, 0)]));
}

export function describePortal(name: string): Buffer {
  return frame(CLIENT.describe, Buffer.concat([Buffer.from("P"), cstring(name)]));
}

/** Binds the unnamed statement to the unnamed portal, every value as text. */
export function bindTexts(values: readonly (string | null)[]): Buffer {
  const parts = values.map((value) => {
    if (value === null) return int32(-1);
    const bytes = Buffer.from(value);
    return Buffer.concat([int32(bytes.length), bytes]);
  });
  const count = Buffer.alloc(2);
  count.writeUInt16BE(values.length);
  return frame(CLIENT.bind, Buffer.concat([Buffer.alloc(4), count, ...parts, Buffer.alloc(2)]));
}

/** All rows of the unnamed portal. */
export function execute(): Buffer {
  return frame(CLIENT.execute, Buffer.alloc(5));
}

export function sync(): Buffer {
  return frame(CLIENT.sync, Buffer.alloc(0));
}

export function flush(): Buffer {
  return frame(CLIENT.flush, Buffer.alloc(0));
}

/** A StartupMessage of protocol 3.`minor`; it has no type byte. */
export function startup(minor: number, parameters: Iterable<readonly [name: string, value: string]>): Buffer {
  const pairs = [...parameters].map(([name, value]) => Buffer.concat([cstring(name), cstring(value)]));
  const body = Buffer.concat([int32(PROTOCOL_3_0 + minor), ...pairs, Buffer.of(0)]);
  return Buffer.concat([int32(body.length + 4), body]);
}

/** A CancelRequest for a BackendKeyData body of any length (4-byte secrets of 3.0, longer ones of 3.2). */
export function cancelRequest(key: Uint8Array): Buffer {
  return Buffer.concat([int32(8 + key.length), int32(CANCEL_REQUEST), key]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** NUL inside would end the string early for the peer, so it is cut out: only our own texts come here. */
function cstring(text: string): Buffer {
  return Buffer.from(`${text.replaceAll("\0", "")}\0`, "utf8");
}
