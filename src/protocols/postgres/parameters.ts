/**
 * Bound parameters as a person reads them: for the recording beside the statement. What is sent to the
 * server is never made from these texts. Binary forms as in PostgreSQL's `*send` functions.
 */
import { isUtf8 } from "node:buffer";
import { RECORDED_TEXT_MAX } from "../../base/limits.ts";

const MS_PER_DAY = 86_400_000;
/** 2000-01-01, PostgreSQL's own epoch. */
const EPOCH_MS = 946_684_800_000;
/** Beyond this a number of milliseconds is no JavaScript date. */
const DATE_MS_MAX = 8.64e15;

/** `bytes` undefined is SQL NULL. What has no easy text form is given as "binary type OID: \x…". */
export function parameterText(bytes: Buffer | undefined, format: number, typeOid: number): string | null {
  if (bytes === undefined) return null;
  if (format === 0) return plainText(bytes) ?? hexText(bytes, typeOid);
  return binaryText(bytes, typeOid) ?? hexText(bytes, typeOid);
}

function binaryText(bytes: Buffer, typeOid: number): string | undefined {
  switch (typeOid) {
    case 16:
      return bytes.length === 1 ? (bytes[0] === 0 ? "f" : "t") : undefined;
    case 20:
      return bytes.length === 8 ? bytes.readBigInt64BE().toString() : undefined;
    case 21:
      return bytes.length === 2 ? bytes.readInt16BE().toString() : undefined;
    case 23:
      return bytes.length === 4 ? bytes.readInt32BE().toString() : undefined;
    case 26:
      return bytes.length === 4 ? bytes.readUInt32BE().toString() : undefined;
    case 700:
      return bytes.length === 4 ? String(Math.fround(bytes.readFloatBE())) : undefined;
    case 701:
      return bytes.length === 8 ? String(bytes.readDoubleBE()) : undefined;
    case 18:
    case 19:
    case 25:
    case 114:
    case 142:
    case 705:
    case 1042:
    case 1043:
      return plainText(bytes);
    case 3802:
      return bytes[0] === 1 ? plainText(bytes.subarray(1)) : undefined;
    case 1082:
      return bytes.length === 4 ? timeText(bytes.readInt32BE() * MS_PER_DAY)?.slice(0, -14) : undefined;
    case 1114:
    case 1184:
      return bytes.length === 8 ? timeText(Number(bytes.readBigInt64BE() / 1000n)) : undefined;
    case 2950:
      return bytes.length === 16 ? uuidText(bytes) : undefined;
    default:
      return undefined;
  }
}

function plainText(bytes: Buffer): string | undefined {
  if (bytes.length > RECORDED_TEXT_MAX)
    return `${bytes.toString("utf8", 0, RECORDED_TEXT_MAX)}… (${bytes.length} bytes)`;
  return isUtf8(bytes) ? bytes.toString("utf8", 0, bytes.length) : undefined;
}

function hexText(bytes: Buffer, typeOid: number): string {
  const kept = bytes.subarray(0, RECORDED_TEXT_MAX / 2);
  const rest = kept.length < bytes.length ? `… (${bytes.length} bytes)` : "";
  return `binary type ${typeOid}: \\x${kept.toString("hex")}${rest}`;
}

function timeText(sinceEpochMs: number): string | undefined {
  const atMs = EPOCH_MS + sinceEpochMs;
  return Math.abs(atMs) <= DATE_MS_MAX ? new Date(atMs).toISOString() : undefined;
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
