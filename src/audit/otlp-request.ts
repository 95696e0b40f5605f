/** Events as a request of OTLP for logs, as protobuf or as its JSON, and what the answer says. No sockets. */
import { readFileSync } from "node:fs";
import protobuf from "protobufjs";
import { type Severity, severityOf } from "./severity.ts";
import type { Message } from "./sink.ts";

const root = protobuf.parse(readFileSync(new URL("./otlp.proto", import.meta.url), "utf8")).root;
const Request = root.lookupType("sallyport.otlp.v1.ExportLogsServiceRequest");
const Response = root.lookupType("sallyport.otlp.v1.ExportLogsServiceResponse");

/** INFO, INFO2, WARN, ERROR2 of the log data model. */
const NUMBERS: Readonly<Record<Severity, number>> = { information: 9, notice: 10, warning: 13, critical: 18 };

export interface OtlpSource {
  readonly hostName: string;
  readonly version: string;
  readonly nowMs: number;
}

/** The body of a POST to `/v1/logs`. */
export function otlpBody(batch: readonly Message[], source: OtlpSource, encoding: "protobuf" | "json"): Buffer {
  const request = requestOf(batch, source);
  if (encoding === "json") return Buffer.from(JSON.stringify(request));
  return Buffer.from(Request.encode(Request.fromObject(request)).finish());
}

/** Undefined: it took all. Throws where the answer is none of OTLP. */
export function rejectedBy(
  body: Buffer,
  contentType: string,
  sent: number,
): { readonly count: number; readonly reason: string } | undefined {
  if (body.length === 0) return undefined;
  const answer = contentType.includes("json")
    ? JSON.parse(body.toString("utf8"))
    : Response.toObject(Response.decode(body), { longs: String });
  const { partialSuccess } = (answer ?? {}) as {
    partialSuccess?: { rejectedLogRecords?: unknown; errorMessage?: unknown } | null;
  };
  // A receiver's word, and no more than was sent can be true.
  const count = Math.min(sent, Math.trunc(Number(partialSuccess?.rejectedLogRecords ?? 0)));
  return count > 0 ? { count, reason: String(partialSuccess?.errorMessage ?? "") } : undefined;
}

/** In the form that is its JSON: numbers of 64 bits are texts. */
function requestOf(batch: readonly Message[], { hostName, version, nowMs }: OtlpSource) {
  const resource = { "service.name": "sallyport", "service.version": version, "host.name": hostName };
  const logRecords = batch.map(({ seq, event, text }) => ({
    timeUnixNano: nanoseconds(event.atMs),
    observedTimeUnixNano: nanoseconds(nowMs),
    severityNumber: NUMBERS[severityOf(event.kind)],
    severityText: severityOf(event.kind).toUpperCase(),
    body: { stringValue: text },
    attributes: attributesOf({
      "sallyport.seq": seq,
      "sallyport.kind": event.kind,
      "sallyport.agent": event.agent,
      "sallyport.session": event.sessionId,
      "sallyport.connection": event.connection,
    }),
    eventName: event.kind,
  }));
  const scopeLogs = [{ scope: { name: "sallyport.events", version }, logRecords }];
  return { resourceLogs: [{ resource: { attributes: attributesOf(resource) }, scopeLogs }] };
}

function attributesOf(values: Readonly<Record<string, string | number | undefined>>) {
  return Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [{ key, value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value } }];
  });
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms)) * 1_000_000n);
}
