/** The shape of `events` in the settings. Which key belongs to which kind of sink is checked in config/events.ts. */
import { SINK_FILES_KEPT_MAX, SINK_HEADERS_MAX, SINK_KINDS_MAX, SINKS_MAX } from "../base/limits.ts";
import { name, path, reference, text } from "./schema-parts.ts";

const size = {
  type: "string",
  pattern: "^[1-9][0-9]{0,5}(KiB|MiB|GiB)$",
  description: 'a size, e.g. "64MiB" or "1GiB"',
} as const;

const sink = {
  type: "object",
  additionalProperties: false,
  required: ["name", "kind"],
  properties: {
    name,
    kind: { type: "string", enum: ["file", "syslog", "otlp", "webhook"] },
    format: { type: "string", enum: ["native", "ocsf"] },
    kinds: {
      type: "array",
      minItems: 1,
      maxItems: SINK_KINDS_MAX,
      uniqueItems: true,
      items: {
        type: "string",
        pattern: "^[a-z*][a-z.*-]{0,62}$",
        description: 'a kind of event, or a glob: "session.*"',
      },
    },
    path,
    rotate: {
      type: "object",
      additionalProperties: false,
      properties: { size, keep: { type: "integer", minimum: 0, maximum: SINK_FILES_KEPT_MAX } },
    },
    group: {
      type: "string",
      pattern: "^([a-z_][a-z0-9_.-]{0,62}|[0-9]{1,10})$",
      description: "the name or number of a group",
    },
    address: { type: "string", minLength: 1, maxLength: 300, description: "an address" },
    resend: size,
    url: {
      type: "string",
      maxLength: 2_000,
      pattern: "^https?://[^\\u0000-\\u0020]+$",
      description: "an http or https URL",
    },
    encoding: { type: "string", enum: ["protobuf", "json"] },
    headers: {
      type: "object",
      maxProperties: SINK_HEADERS_MAX,
      propertyNames: { type: "string", pattern: "^[A-Za-z][A-Za-z0-9-]{0,62}$", description: "the name of a header" },
      additionalProperties: reference,
    },
    key: reference,
    tls: {
      type: "object",
      additionalProperties: false,
      properties: {
        mode: { type: "string", enum: ["verify-full", "disable"] },
        name: { ...text, maxLength: 253, description: "the name (or IP address) in the server's certificate" },
        ca: path,
        certificate: path,
        key: path,
      },
    },
  },
} as const;

export const eventsSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    decisions: { type: "string", enum: ["refused", "all"] },
    outbox: {
      type: "object",
      additionalProperties: false,
      properties: { size, full: { type: "string", enum: ["stop", "drop-oldest"] } },
    },
    sinks: { type: "array", maxItems: SINKS_MAX, items: sink },
  },
} as const;
