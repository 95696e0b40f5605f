/** The shape of `identity.issuers` in the settings. What a schema cannot say is checked in config/identity.ts. */
import { ISSUER_ENTRIES_MAX, ISSUERS_MAX } from "../base/limits.ts";
import { TOKEN_ALGORITHMS } from "../model/issuer.ts";
import { label, name, path, text } from "./schema-parts.ts";

export const claim = {
  type: "string",
  pattern: "^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$",
  description: "the name of a claim: 1 to 128 letters, digits, _ . : / or -, beginning with a letter or _",
} as const;

export const duration = {
  type: "string",
  pattern: "^([0-9]{1,6}[smhd])+$",
  description: 'a time, e.g. "60s" or "1h30m"',
} as const;

export const names = { type: "array", minItems: 1, maxItems: ISSUER_ENTRIES_MAX, uniqueItems: true } as const;

export const issuerUrl = {
  type: "string",
  maxLength: 2_000,
  pattern: "^https://[^\\u0000-\\u0020?#@]+$",
  description: "an https URL without user, query and fragment, as the tokens write it",
} as const;

export const groups = {
  if: { type: "object" },
  // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
  then: {
    type: "object",
    additionalProperties: false,
    required: ["claim", "names"],
    properties: {
      claim,
      names: {
        type: "object",
        minProperties: 1,
        maxProperties: 1_000,
        propertyNames: text,
        additionalProperties: { ...names, items: label },
      },
    },
  },
  else: claim,
} as const;

const issuer = {
  type: "object",
  additionalProperties: false,
  required: ["name", "issuer", "audience"],
  properties: {
    name,
    issuer: issuerUrl,
    audience: text,
    algorithms: { ...names, items: { type: "string", enum: [...TOKEN_ALGORITHMS] } },
    clockSkew: duration,
    until: { type: "string", enum: ["cgroup", "token"] },
    for: duration,
    groups,
    claims: { ...names, items: claim },
    match: {
      type: "object",
      minProperties: 1,
      maxProperties: ISSUER_ENTRIES_MAX,
      propertyNames: claim,
      additionalProperties: text,
    },
    agents: { ...names, items: name },
    ca: path,
  },
} as const;

export const issuersSchema = { type: "array", maxItems: ISSUERS_MAX, items: issuer } as const;
