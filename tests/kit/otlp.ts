/**
 * The receiving side of OTLP for logs, from the published messages by their field numbers; independent of src/, so that a
 * wrong number there is found.
 */
import protobuf from "protobufjs";

const MESSAGES = `
syntax = "proto3";
message Request { repeated ResourceLogs resource_logs = 1; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; string schema_url = 3; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped = 4; }
message LogRecord {
  fixed64 time_unix_nano = 1;
  int32 severity_number = 2;
  string severity_text = 3;
  AnyValue body = 5;
  repeated KeyValue attributes = 6;
  uint32 dropped_attributes_count = 7;
  fixed32 flags = 8;
  bytes trace_id = 9;
  bytes span_id = 10;
  fixed64 observed_time_unix_nano = 11;
  string event_name = 12;
}
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
message Response { PartialSuccess partial_success = 1; }
message PartialSuccess { int64 rejected_log_records = 1; string error_message = 2; }
`;
const { root } = protobuf.parse(MESSAGES);
const Request = root.lookupType("Request");
const Response = root.lookupType("Response");

interface Value {
  readonly stringValue?: string;
  readonly intValue?: string;
}

interface Attribute {
  readonly key: string;
  readonly value: Value;
}

interface RawRecord {
  readonly timeUnixNano: string;
  readonly observedTimeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: Value;
  readonly attributes: readonly Attribute[];
  readonly eventName: string;
}

interface RawRequest {
  readonly resourceLogs: readonly [
    {
      readonly resource: { readonly attributes: readonly Attribute[] };
      readonly scopeLogs: readonly [{ readonly logRecords: readonly RawRecord[] }];
    },
  ];
}

/** Throws where it is no request, or a record lacks what the data model demands. */
export function decodeLogs(body: Buffer, encoding: "protobuf" | "json") {
  const request = (
    encoding === "json"
      ? JSON.parse(body.toString("utf8"))
      : Request.toObject(Request.decode(body), { longs: String, arrays: true })
  ) as RawRequest;
  const [{ resource, scopeLogs }] = request.resourceLogs;
  const records = scopeLogs[0].logRecords.map((record) => {
    const { timeUnixNano, observedTimeUnixNano, severityNumber, severityText, eventName } = record;
    if (!/^[0-9]{19}$/.test(timeUnixNano) || !/^[0-9]{19}$/.test(observedTimeUnixNano)) throw new Error("no time");
    if (severityNumber < 1 || severityNumber > 24) throw new Error("no severity");
    const attributes = named(record.attributes);
    return { timeUnixNano, severityNumber, severityText, body: record.body.stringValue ?? "", eventName, attributes };
  });
  return { resource: named(resource.attributes), records };
}

function named(attributes: readonly Attribute[]): Readonly<Record<string, string>> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? ""]));
}

/** As a collector says that it took a part. */
export function encodeAnswer(
  encoding: "protobuf" | "json",
  { rejected, message }: { readonly rejected: number; readonly message: string },
): { readonly body: Buffer; readonly contentType: string } {
  const partialSuccess = { rejectedLogRecords: String(rejected), errorMessage: message };
  if (encoding === "json")
    return { body: Buffer.from(JSON.stringify({ partialSuccess })), contentType: "application/json" };
  const body = Buffer.from(Response.encode(Response.fromObject({ partialSuccess })).finish());
  return { body, contentType: "application/x-protobuf" };
}
