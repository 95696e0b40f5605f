/**
 * The shape of the settings as a JSON Schema. `description` of a text is the end of the sentence "must be …".
 * What a schema cannot say (addresses, references between entries) is checked in config/meaning.ts.
 */
import {
  CONNECTION_ADDRESSES_MAX,
  MATCHERS_MAX,
  NAME_SERVERS_MAX,
  OUTPUT_BYTES_MAX,
  OUTPUT_ROWS_MAX,
  PEM_BYTES_MAX,
  RETENTION_RULES_MAX,
  SETTINGS_LIST_MAX,
} from "../base/limits.ts";
import { apiSchema } from "./api.ts";
import { eventsSchema } from "./event-schema.ts";
import { grantsSchema } from "./grants-schema.ts";
import { humansSchema, loginsSchema, rolesSchema } from "./human-schema.ts";
import { issuersSchema, providersSchema } from "./identity-schema.ts";
import { notifySchema } from "./notify-schema.ts";
import { label, name, path, reference, text } from "./schema-parts.ts";

const labels = { type: "array", maxItems: 64, uniqueItems: true, items: label } as const;

const texts = {
  type: "object",
  maxProperties: 64,
  propertyNames: label,
  additionalProperties: { ...text, minLength: 0 },
} as const;

const address = { type: "string", minLength: 1, maxLength: 300, description: "an address" } as const;

/** One of the keys; config/match.ts demands that it is one. */
const matcher = {
  type: "object",
  additionalProperties: false,
  minProperties: 1,
  properties: {
    unit: text,
    cgroup: text,
    user: {
      type: "string",
      pattern: "^([a-z_][a-z0-9_.-]{0,62}[$]?|[0-9]{1,10})$",
      description: "the name or number of a user",
    },
    container: {
      type: "object",
      additionalProperties: false,
      minProperties: 1,
      properties: {
        name: text,
        image: text,
        label: {
          if: { type: "object" },
          // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
          then: {
            type: "object",
            minProperties: 1,
            maxProperties: 16,
            additionalProperties: { ...text, minLength: 0 },
          },
          else: {
            type: "string",
            maxLength: 255,
            pattern: "^[^=\\u0000-\\u001f]+(=[^\\u0000-\\u001f]*)?$",
            description: '"key", "key=value" or a mapping of several',
          },
        },
      },
    },
  },
} as const;

const agent = {
  type: "object",
  additionalProperties: false,
  required: ["name"],
  properties: {
    name,
    groups: labels,
    claims: texts,
    match: {
      if: { type: "array" },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
      then: { type: "array", minItems: 1, maxItems: MATCHERS_MAX, items: matcher },
      else: matcher,
    },
  },
} as const;

const connection = {
  type: "object",
  additionalProperties: false,
  required: ["name", "protocol", "addresses"],
  properties: {
    name,
    protocol: name,
    addresses: { type: "array", minItems: 1, maxItems: CONNECTION_ADDRESSES_MAX, items: address },
    credential: {
      type: "object",
      additionalProperties: false,
      required: ["user"],
      properties: { user: text, password: reference },
    },
    tls: {
      type: "object",
      additionalProperties: false,
      properties: {
        mode: { type: "string", enum: ["disable", "require", "verify-full"] },
        name: {
          type: "string",
          maxLength: 253,
          pattern: "^[A-Za-z0-9:]([A-Za-z0-9.:_-]*[A-Za-z0-9:])?$",
          description: "the name (or IP address) in the server's certificate",
        },
        ca: path,
      },
    },
    labels: texts,
    data: {
      type: "object",
      maxProperties: 10_000,
      propertyNames: {
        type: "string",
        pattern: "^[^.\\u0000]{1,128}\\.[^.\\u0000]{1,128}$",
        description: '"schema.table"',
      },
      additionalProperties: {
        type: "object",
        additionalProperties: false,
        properties: {
          labels,
          columns: {
            type: "object",
            maxProperties: 2_000,
            propertyNames: {
              type: "string",
              pattern: "^[^\\u0000]{1,128}$",
              description: "the name of a column",
            },
            additionalProperties: labels,
          },
        },
      },
    },
  },
} as const;

const { credential: _credential, ...withoutCredential } = connection.properties;

/** A connection that was added by command: the vault has its credential, and its roots came as text. */
export const addedConnectionSchema = {
  ...connection,
  properties: {
    ...withoutCredential,
    tls: {
      ...connection.properties.tls,
      properties: {
        ...connection.properties.tls.properties,
        ca: {
          type: "string",
          maxLength: PEM_BYTES_MAX,
          pattern: "-----BEGIN CERTIFICATE-----",
          description: "certificates in PEM",
        },
      },
    },
  },
} as const;

const addresses = { type: "array", maxItems: SETTINGS_LIST_MAX, items: address } as const;

const output = {
  rows: {
    type: "integer",
    minimum: 0,
    maximum: OUTPUT_ROWS_MAX,
    description: `a number of rows up to ${OUTPUT_ROWS_MAX}`,
  },
  bytes: {
    if: { type: "integer" },
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
    then: { type: "integer", minimum: 0, maximum: OUTPUT_BYTES_MAX },
    else: {
      type: "string",
      maxLength: 16,
      pattern: "^[0-9]{1,8}( ?(KiB|MiB))?$",
      description: "a size up to 16 MiB, as 65536 or 64 KiB",
    },
  },
} as const;

export const settingsSchema = {
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "Sallyport settings",
  type: "object",
  additionalProperties: false,
  properties: {
    agents: { type: "array", maxItems: SETTINGS_LIST_MAX, items: agent },
    identity: {
      type: "object",
      additionalProperties: false,
      properties: { issuers: issuersSchema, saml: providersSchema, logins: loginsSchema },
    },
    roles: rolesSchema,
    humans: humansSchema,
    connections: { type: "array", maxItems: SETTINGS_LIST_MAX, items: connection },
    grants: grantsSchema,
    egress: { type: "object", additionalProperties: false, properties: { allow: addresses, deny: addresses } },
    names: {
      type: "object",
      additionalProperties: false,
      properties: { servers: { type: "array", minItems: 1, maxItems: NAME_SERVERS_MAX, items: address } },
    },
    sockets: {
      type: "object",
      additionalProperties: false,
      properties: {
        allow: {
          type: "array",
          maxItems: SETTINGS_LIST_MAX,
          uniqueItems: true,
          items: { ...text, description: "the name or path of a Unix socket" },
        },
      },
    },
    policies: path,
    recording: {
      type: "object",
      additionalProperties: false,
      properties: {
        durability: { type: "string", enum: ["write", "fsync"] },
        whenFull: { type: "string", enum: ["deny", "continue"] },
        seal: { type: "boolean" },
        retention: {
          type: "array",
          maxItems: RETENTION_RULES_MAX,
          items: {
            type: "object",
            additionalProperties: false,
            properties: {
              labels: texts,
              keepDays: { type: "integer", minimum: 1, maximum: 36_500 },
              keepBytes: {
                type: "string",
                pattern: "^[1-9][0-9]{0,5} ?(KiB|MiB|GiB)$",
                description: 'a size, e.g. "500MiB" or "20GiB"',
              },
            },
          },
        },
        output: { type: "object", additionalProperties: false, properties: output },
        outputs: {
          type: "array",
          maxItems: SETTINGS_LIST_MAX,
          items: {
            type: "object",
            additionalProperties: false,
            properties: {
              connection: name,
              label: {
                type: "string",
                maxLength: 319,
                pattern: "^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}=[^\\u0000-\\u001f\\u007f]*$",
                description: 'a label of connections as "key=value"',
              },
              ...output,
            },
          },
        },
      },
    },
    events: eventsSchema,
    api: apiSchema,
    notify: notifySchema,
    metrics: {
      type: "object",
      additionalProperties: false,
      required: ["listen"],
      properties: { listen: { ...address, description: 'an IP address with a port, e.g. "127.0.0.1:9464"' } },
    },
    interception: {
      type: "object",
      additionalProperties: false,
      properties: {
        port: { type: "integer", minimum: 1, maximum: 65_535 },
        cgroupRoot: { type: "string", pattern: "^/[^\\u0000]*$", maxLength: 4096, description: "an absolute path" },
        relay: { enum: ["auto", "off", "always"] },
      },
    },
  },
} as const;
