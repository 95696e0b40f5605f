/**
 * The data of HTTPS and SVCB records, without what would hide from us: `ech` (a sealed server name), addresses that
 * nobody looked up by a rule, and HTTP/3, which runs over UDP and is refused. Bytes in, bytes out. Source: RFC 9460.
 */

const KEY_MANDATORY = 0;
const KEY_ALPN = 1;
/** alpn, no-default-alpn, port. Not ipv4hint (4), ech (5), ipv6hint (6), nor what has a meaning that we do not know. */
const KEPT: ReadonlySet<number> = new Set([KEY_ALPN, 2, 3]);
const DATA_BYTES_MAX = 4_096;

/** Undefined for a record that is broken, or that clients must not use without what was taken out. */
export function cleanBinding(data: Buffer): Buffer | undefined {
  const target = targetEnd(data);
  if (target === undefined || data.length > DATA_BYTES_MAX) return undefined;
  const parameters = readParameters(data.subarray(target));
  if (parameters === undefined) return undefined;
  const kept: Buffer[] = [];
  for (const { key, value } of parameters) {
    if (!KEPT.has(key)) continue;
    const bytes = key === KEY_ALPN ? withoutHttp3(value) : value;
    if (bytes === undefined) return undefined;
    kept.push(parameter(key, bytes));
  }
  const mandatory = parameters.find(({ key }) => key === KEY_MANDATORY)?.value ?? Buffer.alloc(0);
  for (let at = 0; at + 1 < mandatory.length; at += 2) {
    if (!KEPT.has(mandatory.readUInt16BE(at))) return undefined;
  }
  return Buffer.concat([data.subarray(0, target), ...kept]);
}

/** Priority (2 bytes) and an uncompressed name. */
function targetEnd(data: Buffer): number | undefined {
  let at = 2;
  for (;;) {
    const length = data[at];
    if (length === undefined || length > 63 || at > 257) return undefined;
    at += 1 + length;
    if (length === 0) return at <= data.length ? at : undefined;
  }
}

/** Key (2 bytes), length (2 bytes), value; keys ascend. */
function readParameters(data: Buffer): { key: number; value: Buffer }[] | undefined {
  const found: { key: number; value: Buffer }[] = [];
  let last = -1;
  for (let at = 0; at < data.length; ) {
    if (at + 4 > data.length) return undefined;
    const key = data.readUInt16BE(at);
    const end = at + 4 + data.readUInt16BE(at + 2);
    if (end > data.length || key <= last) return undefined;
    found.push({ key, value: data.subarray(at + 4, end) });
    last = key;
    at = end;
  }
  return found;
}

/** Undefined where HTTP/3 is all there is, or the list is broken. */
function withoutHttp3(list: Buffer): Buffer | undefined {
  const kept: Buffer[] = [];
  for (let at = 0; at < list.length; ) {
    const end = at + 1 + (list[at] ?? 0);
    if (end > list.length || end === at + 1) return undefined;
    if (!list.toString("latin1", at + 1, end).startsWith("h3")) kept.push(list.subarray(at, end));
    at = end;
  }
  return kept.length === 0 ? undefined : Buffer.concat(kept);
}

function parameter(key: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(key, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value]);
}
