/** PostgreSQL messages as bytes, both sides, written apart from src/ so that one mistake is not made twice. */

export function hex(text: string): Buffer {
  return Buffer.from(text.replace(/\s/g, ""), "hex");
}

export function join(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

function int16(value: number): Buffer {
  return Buffer.of((value >> 8) & 0xff, value & 0xff);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** Any message: type letter and the parts of its body. */
export function message(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const body = join(...parts);
  return join(Buffer.from(type), int32(body.length + 4), body);
}

function packet(...parts: readonly Uint8Array[]): Buffer {
  const body = join(...parts);
  return join(int32(body.length + 4), body);
}

/** What a client sends. */
export const client = {
  sslRequest: (): Buffer => packet(int32(80_877_103)),
  gssRequest: (): Buffer => packet(int32(80_877_104)),
  cancelRequest: (key: Uint8Array): Buffer => packet(int32(80_877_102), key),
  startup: (parameters: Readonly<Record<string, string>>, version = 0x0003_0000): Buffer =>
    packet(
      int32(version),
      ...Object.entries(parameters).flatMap(([name, value]) => [cstring(name), cstring(value)]),
      Buffer.of(0),
    ),
  query: (text: string): Buffer => message("Q", cstring(text)),
  parse: (name: string, text: string, types: readonly number[] = []): Buffer =>
    message("P", cstring(name), cstring(text), int16(types.length), ...types.map(int32)),
  bind: (portal: string, statement: string, options: BindOptions = {}): Buffer => {
    const { formats = [], values = [], results = [] } = options;
    return message(
      "B",
      cstring(portal),
      cstring(statement),
      int16(formats.length),
      ...formats.map(int16),
      int16(values.length),
      ...values.map(field),
      int16(results.length),
      ...results.map(int16),
    );
  },
  describe: (what: "S" | "P", name: string): Buffer => message("D", Buffer.from(what), cstring(name)),
  execute: (portal: string, rows = 0): Buffer => message("E", cstring(portal), int32(rows)),
  close: (what: "S" | "P", name: string): Buffer => message("C", Buffer.from(what), cstring(name)),
  flush: (): Buffer => message("H"),
  sync: (): Buffer => message("S"),
  functionCall: (oid: number): Buffer => message("F", int32(oid), int16(0), int16(0), int16(0)),
  copyData: (data: string): Buffer => message("d", Buffer.from(data)),
  copyDone: (): Buffer => message("c"),
  copyFail: (reason: string): Buffer => message("f", cstring(reason)),
  terminate: (): Buffer => message("X"),
} as const;

interface BindOptions {
  readonly formats?: readonly number[];
  readonly values?: readonly (string | Uint8Array | null)[];
  readonly results?: readonly number[];
}

function field(value: string | Uint8Array | null): Buffer {
  if (value === null) return int32(-1);
  const bytes = Buffer.from(value as Uint8Array);
  return join(int32(bytes.length), bytes);
}

export interface ColumnOptions {
  readonly name: string;
  readonly table?: number;
  readonly attnum?: number;
  /** Type OID; text when absent. */
  readonly type?: number;
  readonly format?: number;
}

/** What a server sends. */
export const server = {
  authenticationOk: (): Buffer => message("R", int32(0)),
  sasl: (...mechanisms: readonly string[]): Buffer => message("R", int32(10), ...mechanisms.map(cstring), Buffer.of(0)),
  saslContinue: (data: string): Buffer => message("R", int32(11), Buffer.from(data)),
  saslFinal: (data: string): Buffer => message("R", int32(12), Buffer.from(data)),
  cleartext: (): Buffer => message("R", int32(3)),
  md5: (salt: Uint8Array): Buffer => message("R", int32(5), salt),
  parameter: (name: string, value: string): Buffer => message("S", cstring(name), cstring(value)),
  keyData: (key: Uint8Array): Buffer => message("K", key),
  ready: (status = "I"): Buffer => message("Z", Buffer.from(status)),
  columns: (...columns: readonly ColumnOptions[]): Buffer =>
    message(
      "T",
      int16(columns.length),
      ...columns.map(({ name, table = 0, attnum = 0, type = 25, format = 0 }) =>
        join(cstring(name), int32(table), int16(attnum), int32(type), int16(-1), int32(-1), int16(format)),
      ),
    ),
  row: (...values: readonly (string | Uint8Array | null)[]): Buffer =>
    message("D", int16(values.length), ...values.map(field)),
  complete: (tag: string): Buffer => message("C", cstring(tag)),
  empty: (): Buffer => message("I"),
  parsed: (): Buffer => message("1"),
  bound: (): Buffer => message("2"),
  closed: (): Buffer => message("3"),
  suspended: (): Buffer => message("s"),
  noData: (): Buffer => message("n"),
  parameters: (...types: readonly number[]): Buffer => message("t", int16(types.length), ...types.map(int32)),
  error: (fields: Readonly<Record<string, string>>): Buffer => message("E", ...letters(fields)),
  notice: (fields: Readonly<Record<string, string>>): Buffer => message("N", ...letters(fields)),
  notification: (channel: string, payload: string): Buffer =>
    message("A", int32(4711), cstring(channel), cstring(payload)),
  copyIn: (columns = 1): Buffer => message("G", Buffer.of(0), int16(columns), ...Array(columns).fill(int16(0))),
  copyOut: (columns = 1, format = 0): Buffer =>
    message("H", Buffer.of(format), int16(columns), ...Array(columns).fill(int16(format))),
  copyBoth: (): Buffer => message("W", Buffer.of(0), int16(0)),
  copyData: (data: string | Uint8Array): Buffer => message("d", Buffer.from(data as Uint8Array)),
  copyDone: (): Buffer => message("c"),
} as const;

function letters(fields: Readonly<Record<string, string>>): Buffer[] {
  return [...Object.entries(fields).map(([letter, text]) => cstring(letter + text)), Buffer.of(0)];
}

export interface ReadMessage {
  readonly type: string;
  readonly body: Buffer;
}

/** Cuts bytes into whole messages; throws when something is left over. */
export function messagesIn(bytes: Uint8Array): readonly ReadMessage[] {
  const buffer = Buffer.from(bytes);
  const messages: ReadMessage[] = [];
  for (let at = 0; at < buffer.length; ) {
    const end = at + 1 + buffer.readInt32BE(at + 1);
    if (end > buffer.length) throw new Error("The last message is not whole");
    messages.push({ type: buffer.toString("latin1", at, at + 1), body: buffer.subarray(at + 5, end) });
    at = end;
  }
  return messages;
}

/** The fields of an ErrorResponse or NoticeResponse by letter. */
export function fieldsOf(body: Buffer): Readonly<Record<string, string>> {
  const texts = body
    .toString()
    .split("\0")
    .filter((text) => text !== "");
  return Object.fromEntries(texts.map((text) => [text.slice(0, 1), text.slice(1)]));
}
